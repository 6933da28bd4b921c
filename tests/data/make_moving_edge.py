"""Writes moving_edge.npy: a synthetic stream as published event files hold one, a pickled dict of arrays."""

from pathlib import Path

import numpy as np

from model.inputs.events import synthetic_events

if __name__ == "__main__":
    events = synthetic_events(seed=7, count=20_000)
    columns = {
        "x": events.x.astype(np.uint16),
        "y": events.y.astype(np.uint16),
        "t": events.t.astype(np.uint16),
        "p": events.positive.astype(np.uint8),
    }
    np.save(Path(__file__).with_name("moving_edge.npy"), np.array(columns, dtype=object), allow_pickle=True)

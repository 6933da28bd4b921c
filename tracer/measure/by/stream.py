"""By device and stream; on a CPU by thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.measure.ways import Keys, Way, numbered
from tracer.packed import rows_of_pairs
from tracer.trace.columns import stream_name

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


def _keys(trace: Trace, work: Work) -> Keys:
    if not work.on_device:
        return numbered([f"thread {thread}" for _, thread in trace.threads], work.track)
    device, track, number, names = work.device, work.track, np.empty(len(work), dtype=np.int64), []
    for place, rows in enumerate(rows_of_pairs(work, "device", "track")):
        number[rows] = place
        names.append(f"device {device[rows[0]]}, {stream_name(int(track[rows[0]]))}")
    return Keys(names, number)


WAY = Way(keys=_keys, meaning="stream: of the device.")

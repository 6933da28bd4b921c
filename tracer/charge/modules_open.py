"""The modules of a model that stand for one of its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import distinct, outermost
from tracer.document.graphs import LAYER

if TYPE_CHECKING:
    from tracer.trace.columns import Spans, Trace


def layer_modules(trace: Trace) -> Spans:
    """Numbered layers and blocks, the outermost where they are nested."""
    modules = trace.modules
    layer = np.array([LAYER.search(name) is not None for name in trace.strings], dtype=np.bool_)
    rows = np.flatnonzero(layer[modules.name])
    found = [rows[:0]]
    for thread in distinct(modules.thread[rows]):
        own = rows[modules.thread[rows] == thread]
        found.append(own[outermost(modules.start_ns[own], modules.end_ns[own])])
    return modules[np.concatenate(found)]

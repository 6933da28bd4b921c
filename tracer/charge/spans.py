"""Which span of a thread was open at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import Nest, distinct

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Spans


def innermost_span(spans: Spans | StageRanges, times_ns: I64, thread: I64) -> I64:
    """Index of the innermost span that holds each time on its thread, or -1."""
    found = np.full(len(times_ns), -1, dtype=np.int64)
    for number in distinct(spans.thread):
        own = np.flatnonzero(spans.thread == number)
        asked = np.flatnonzero(thread == number)
        place = Nest.of(spans.start_ns[own], spans.end_ns[own]).innermost(times_ns[asked])
        found[asked] = np.where(place >= 0, own[place], -1)
    return found

"""Which span of a thread was open at a time, and for how long each was the innermost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import Nest, distinct, sum_by

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Spans


def self_times(spans: Spans | StageRanges) -> I64:
    """Time of each span in which it is the innermost of its thread."""
    found = np.zeros(len(spans), dtype=np.int64)
    for number in distinct(spans.thread):
        own = np.flatnonzero(spans.thread == number)
        start, end = spans.start_ns[own], spans.end_ns[own]
        edges = np.unique(np.concatenate([start, end]))
        owner = Nest.of(start, end).innermost(edges[:-1])
        owned = np.flatnonzero(owner >= 0)
        found[own] = sum_by(owner[owned], np.diff(edges)[owned], len(own))
    return found


def innermost_span(spans: Spans | StageRanges, times_ns: I64, thread: I64) -> I64:
    """Index of the innermost span that holds each time on its thread, or -1."""
    found = np.full(len(times_ns), -1, dtype=np.int64)
    for number in distinct(spans.thread):
        own = np.flatnonzero(spans.thread == number)
        asked = np.flatnonzero(thread == number)
        place = Nest.of(spans.start_ns[own], spans.end_ns[own]).innermost(times_ns[asked])
        found[asked] = np.where(place >= 0, own[place], -1)
    return found

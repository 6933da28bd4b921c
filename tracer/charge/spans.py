"""Which span of a thread was open at a time, and for how long each was the innermost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import Nest, distinct, sum_by

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
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
        asked = np.flatnonzero(thread == number)
        own = np.flatnonzero(spans.thread == number)
        own = own[_holding(spans.start_ns[own], spans.end_ns[own], times_ns[asked])]
        if not len(own):
            continue
        place = Nest.of(spans.start_ns[own], spans.end_ns[own]).innermost(times_ns[asked])
        found[asked] = np.where(place >= 0, own[place], -1)
    return found


def _holding(start_ns: I64, end_ns: I64, times_ns: I64) -> Bools:
    """Which intervals hold any of these times: of a trace's operators one in three, and only these need be nested."""
    times_ns = np.sort(times_ns)
    return np.searchsorted(times_ns, start_ns, side="left") < np.searchsorted(times_ns, end_ns, side="left")

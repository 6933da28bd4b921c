"""Which span of a thread was open at a time, and for how long each was the innermost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from tracer.arrays import ascending, int64, is_ascending
from tracer.charge.intervals import Nest, distinct, sum_by
from tracer.packed import pieces

if TYPE_CHECKING:
    from tracer.arrays import I32, I64
    from tracer.trace.columns import Spans

# Times that are looked for at once, and how many such pieces there are at most.
LEAST_PIECE, MOST_PIECES = 1 << 14, 16


class _OnThreads(Protocol):
    """Spans, or stages' ranges: when each began and ended, and on which thread."""

    @property
    def start_ns(self) -> I64: ...
    @property
    def end_ns(self) -> I64: ...
    @property
    def thread(self) -> I64 | I32: ...

    def __len__(self) -> int: ...


def self_times(spans: _OnThreads) -> I64:
    """Time of each span in which it is the innermost of its thread."""
    found = np.zeros(len(spans), dtype=np.int64)
    for number in distinct(spans.thread):
        own = np.flatnonzero(spans.thread == number)
        start, end = spans.start_ns[own], spans.end_ns[own]
        edges = ascending(np.concatenate([start, end]))
        owner = Nest.of(start, end).innermost(edges[:-1])
        owned = np.flatnonzero(owner >= 0)
        found[own] = sum_by(owner[owned], np.diff(edges)[owned], len(own))
    return found


def innermost_span(spans: _OnThreads, times_ns: I64, thread: I64) -> I64:
    """Index of the innermost span that holds each time on its thread, or -1."""
    found = np.full(len(times_ns), -1, dtype=np.int64)
    for number in distinct(spans.thread):
        asked = np.flatnonzero(thread == number)
        if not is_ascending(times := times_ns[asked]):
            asked = asked[np.argsort(times)]
        del times
        # In pieces, of which each needs few of the spans: all together take several times their own memory.
        size = max(LEAST_PIECE, -(-len(asked) // MOST_PIECES))
        for begin in range(0, len(asked), size):
            piece = asked[begin : begin + size]
            times = times_ns[piece]
            own = _holding(spans, number, times)
            if len(own):
                place = Nest.of(spans.start_ns[own], spans.end_ns[own]).innermost(times)
                found[piece] = np.where(place >= 0, own[place], -1)
    return found


def enclosing(spans: Spans, outer: I64, inner: I64) -> I64:
    """Of each of the spans `inner` the innermost of those `outer` that holds its start on its thread, or -1."""
    place = innermost_span(spans[outer], spans.start_ns[inner], int64(spans.thread[inner]))
    return int64(np.append(outer, -1)[place])


def holding(spans: Spans, times_ns: I64, thread: I64) -> I64:
    """Which spans hold any of these times of their thread, in the order of the spans."""
    kept = np.zeros(len(spans), dtype=np.bool_)
    for number in distinct(thread):
        asked = np.sort(times_ns[thread == number])
        columns = (pieces(spans, name) for name in ("start_ns", "end_ns", "thread"))
        at = 0
        for start, end, of in zip(*columns, strict=True):
            held = np.searchsorted(asked, start) < np.searchsorted(asked, end)
            kept[at : at + len(start)] |= held & (of == number)
            at += len(start)
    return int64(np.flatnonzero(kept))


def _holding(spans: _OnThreads, thread: int, times_ns: I64) -> I64:
    """Which spans of a thread hold any of these times, which ascend: only these need be nested."""
    near = spans.start_ns <= times_ns[-1]
    near &= spans.end_ns > times_ns[0]
    near &= spans.thread == thread
    own = np.flatnonzero(near)
    held = np.searchsorted(times_ns, spans.start_ns[own]) < np.searchsorted(times_ns, spans.end_ns[own])
    return int64(own[held])

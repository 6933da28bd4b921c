"""The host's rows: what each thread had open, and what it called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64, rows_of_each
from tracer.document.timeline import CALLS, OPERATORS, RANGES
from tracer.timeline.drawn import Drawn, share
from tracer.timeline.merging import merged
from tracer.trace.api import synchronises

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracer.arrays import I64
    from tracer.trace.columns import Spans, Trace


def thread_labels(trace: Trace) -> Callable[[int], str]:
    """What says a thread as the file spells it; its process too, where there are several."""
    several = len({process for process, _ in trace.threads}) > 1

    def label(thread: int) -> str:
        process, own = trace.threads[thread]
        return f"thread {own} of process {process}" if several else f"thread {own}"

    return label


def range_tracks(trace: Trace, most: int) -> Iterator[Drawn]:
    """The ranges of each thread, which may lie within each other."""
    yield from _span_tracks(trace, trace.ranges, RANGES, most)


def operator_tracks(trace: Trace, run: I64, most: int) -> Iterator[Drawn]:
    """The CPU operators of each thread; `run` is of each the item of the track of stages, -1 outside all."""
    for drawn in _span_tracks(trace, trace.cpu_ops, OPERATORS, most):
        yield drawn.with_columns(run=run[drawn.source] + 1)


def _span_tracks(trace: Trace, spans: Spans, kind: str, most: int) -> Iterator[Drawn]:
    label = thread_labels(trace)
    for thread, rows in rows_of_each(spans.thread):
        own = rows[np.lexsort((-spans.end_ns[rows], spans.start_ns[rows]))]
        found = merged(spans.start_ns[own], spans.end_ns[own], share(most, len(own), len(spans)))
        yield Drawn.of_items(kind, label(thread), found, int64(own), spans.name, thread=thread)


def call_tracks(trace: Trace, most: int) -> tuple[list[Drawn], I64]:
    """The calls of each thread into the device's runtime, and the number of each call of the trace over all of them.

    Numbers go from the first track's first call on; that of a call which is drawn with others is theirs.
    """
    calls, label = trace.calls, thread_labels(trace)
    waits = np.array([synchronises(name) for name in trace.strings], dtype=np.int64)
    number, tracks, begin = np.full(len(calls), -1, dtype=np.int64), [], 0
    for thread, rows in sorted(rows_of_each(calls.thread), key=lambda one: -len(one[1])):
        own = rows[np.lexsort((-calls.end_ns[rows], calls.start_ns[rows]))]
        waiting = waits[calls.name[own]]
        found = merged(calls.start_ns[own], calls.end_ns[own], share(most, len(own), len(calls)), [waiting])
        number[own] = begin + found.group
        begin += len(found.rows)
        drawn = Drawn.of_items(CALLS, label(thread), found, int64(own), calls.name, thread=thread)
        tracks.append(drawn.with_columns(waits=waiting[found.rows]))
    return tracks, number

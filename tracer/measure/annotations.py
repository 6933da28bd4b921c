"""The answer for any trace at all: each annotation's name with the device ops launched inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET

from tracer.arrays import coded, int32, int64, is_ascending
from tracer.charge.intervals import distinct, sum_by
from tracer.document.summary import LostOps, Rangeless, RangeRow
from tracer.measure.projections import project
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from typing import Literal

    from tracer.arrays import I64
    from tracer.charge.lost import LostWork
    from tracer.charge.work import Work
    from tracer.trace.columns import Spans, Trace

NEEDS = Want.SUMMARY
SHOWN = 100


def annotation_rows(trace: Trace, work: Work, lost: LostWork | None = None) -> list[RangeRow]:
    """One row per name and style, most device time first, then by name.

    An op belongs to a name if its launch starts inside a range of that name on the launching thread. It
    counts once for a name however many of that name enclose it, and once for every enclosing name. Of a trace
    without device ops the operators are counted that start inside, with their self time.

    Args:
        trace: with its ranges.
        work: of the trace.
        lost: launches of it that have no device op: of the names that enclose them no device time is known, nor of any
            where no op has a launch.
    """
    table = _rows(trace, work, trace.ranges, "push_pop", lost) + _rows(trace, work, trace.loose_ranges, "start_end")
    return [row for _, row in sorted(table, key=lambda row: (-row[0], -(row[1].ops or 0), row[1].name))]


def rangeless(trace: Trace, work: Work) -> Rangeless | None:
    """The device ops launched on threads without any range, where other threads have some; None of none.

    A profiler may record the ranges of the thread alone that started it.
    """
    if not work.on_device or not len(trace.ranges):
        return None
    elsewhere = work.asked & ~np.isin(work.call_thread, int64(distinct(trace.ranges.thread)))
    if not elsewhere.any():
        return None
    return Rangeless(
        threads=len(distinct(work.call_thread[elsewhere])),
        ops=int(elsewhere.sum()),
        device_time_ns=int(work.time_ns[elsewhere].sum()),
        of_ops=len(work),
    )


def _rows(
    trace: Trace, work: Work, ranges: Spans, style: Literal["push_pop", "start_end"], lost: LostWork | None = None
) -> list[tuple[int, RangeRow]]:
    """The rows, each with the device time that was recorded."""
    if not len(ranges):
        return []
    names, name = coded(ranges.name)
    size = len(names)
    held = _launched_inside(work, ranges, name, size) if style == "push_pop" else (np.zeros(size, dtype=np.int64),) * 2
    missing = _inside(*_launched(trace, lost), ranges, name, size)[0] if lost is not None else held[0] * 0
    projections = project(work, ranges)
    unjoined = work.on_device and not work.asked.any()
    columns = zip(
        [trace.strings[number] for number in names.tolist()],
        np.bincount(name, minlength=size).tolist(),
        *(column.tolist() for column in held),
        sum_by(name, projections.span_ns, size).tolist(),
        sum_by(name, projections.kernel_ns, size).tolist(),
        _host_time(ranges, name, size).tolist(),
        missing.tolist(),
        strict=True,
    )
    return [
        (
            time_ns,
            RangeRow(
                name=text,
                count=count,
                ops=None if unjoined else ops,
                device_time_ns=None if launches or unjoined else time_ns,
                style=style,
                projected_ns=None if launches or unjoined else projected_ns,
                kernel_ns=None if launches or unjoined else kernel_ns,
                cpu_ns=cpu_ns,
                lost=LostOps(launches=launches) if launches else UNSET,
            ),
        )
        for text, count, ops, time_ns, projected_ns, kernel_ns, cpu_ns, launches in columns
    ]


def _launched(trace: Trace, lost: LostWork) -> tuple[I64, I64, I64]:
    """Start and thread of each launch whose work was not recorded, and no time."""
    calls = trace.calls
    return calls.start_ns[lost.calls], int64(calls.thread[lost.calls]), np.zeros(len(lost), dtype=np.int64)


def _launched_inside(work: Work, ranges: Spans, name: I64, size: int) -> tuple[I64, I64]:
    """For each of `size` names, how many ops were asked for inside its ranges, and their time.

    An op is asked for by its launch, an operator by itself.
    """
    launched = np.flatnonzero(work.asked)
    starts, threads = work.call_start_ns[launched], work.call_thread[launched]
    return _inside(starts, threads, work.time_ns[launched], ranges, name, size)


def _inside(starts: I64, threads: I64, durations: I64, ranges: Spans, name: I64, size: int) -> tuple[I64, I64]:
    """For each of `size` names, how many of these times lie in its ranges on their thread, and their durations."""
    ops, time_ns = (np.zeros(size, dtype=np.int64) for _ in range(2))
    for thread in distinct(ranges.thread):
        on_thread = int32(np.flatnonzero(threads == thread))
        launch_ns = starts[on_thread]
        if not is_ascending(launch_ns):
            on_thread = on_thread[np.argsort(launch_ns, kind="stable")]
            launch_ns = starts[on_thread]
        total_ns = np.zeros(len(on_thread) + 1, dtype=np.int64)
        np.cumsum(durations[on_thread], out=total_ns[1:])
        del on_thread
        rows = np.flatnonzero(ranges.thread == thread)
        group, start, end = _unions(name[rows], ranges.start_ns[rows], ranges.end_ns[rows])
        low = np.searchsorted(launch_ns, start, side="left")
        high = np.searchsorted(launch_ns, end, side="left")
        ops += sum_by(group, int64(high - low), size)
        time_ns += sum_by(group, int64(total_ns[high] - total_ns[low]), size)
    return ops, time_ns


def _host_time(ranges: Spans, name: I64, size: int) -> I64:
    """For each of `size` names, the time inside its ranges, on each thread once."""
    found = np.zeros(size, dtype=np.int64)
    for thread in distinct(ranges.thread):
        rows = np.flatnonzero(ranges.thread == thread)
        group, start, end = _unions(name[rows], ranges.start_ns[rows], ranges.end_ns[rows])
        found += sum_by(group, int64(end - start), size)
    return found


def _unions(group: I64, start_ns: I64, end_ns: I64) -> tuple[I64, I64, I64]:
    """Join the overlapping intervals of each group: group, start and end of the unions."""
    order = np.lexsort((start_ns, group))
    group, start, end = group[order], start_ns[order], end_ns[order]
    # The furthest end so far within each group: ends as ranks, so that a later group outranks all before it.
    by_end = np.argsort(end, kind="stable")
    rank = np.empty(len(end), dtype=np.int64)
    rank[by_end] = np.arange(len(end))
    furthest = np.maximum.accumulate(group * len(end) + rank)[:-1]
    same_group = furthest // len(end) == group[1:]
    reached = end[by_end[furthest % len(end)]]
    begins = np.flatnonzero(np.concatenate([[True], ~same_group | (start[1:] > reached)]))
    return group[begins], start[begins], int64(np.maximum.reduceat(end, begins))

"""Device ops whose launch was not recorded although the profiler was on: whose they are is not known.

What was launched before the profiler began has no launch record either, but comes first on its stream, since a stream
runs in the order of its launches. Between ops with launches, or with a number between those of calls, it is the record
of the call that was lost. It was made between those before and behind it on the stream, and between the calls whose
numbers are next to its own; the stages that were open meanwhile may have asked for it, so that what they took is not
known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.attribution import attribute_ops
from tracer.charge.intervals import distinct, grouped
from tracer.charge.launches import process_of_thread
from tracer.charge.ledger import recorded_windows
from tracer.document.names import ALL_STAGES
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


@dataclass(frozen=True, slots=True)
class Unlaunched:
    """Such ops.

    Attributes:
        ops: how many.
        stages: that may have asked for some of them, in the order of a request.
    """

    ops: int
    stages: list[str]


def unlaunched(trace: Trace, ranges: StageRanges, work: Work) -> Unlaunched | None:
    """Find them; None where there are none, or no stages.

    Args:
        trace: with ops and calls.
        ranges: its stages.
        work: of the same.
    """
    lacking = np.flatnonzero(work.call < 0) if work.on_device and len(ranges) else int64([])
    if not len(lacking) or len(lacking) == len(work):
        return None
    numbers = trace.ops.correlation[lacking]
    lacking = lacking[(numbers != NO_CORRELATION) & ~np.isin(numbers, trace.calls.correlation)]
    rows, before, behind = _neighbours(trace, work, lacking)
    since, until = _narrowed(trace, rows, before, behind)
    rows, since, until = rows[until >= 0], since[until >= 0], until[until >= 0]
    if not len(rows):
        return None
    touched = np.zeros(len(ranges), dtype=np.bool_)
    process = process_of_thread(trace)
    calls = trace.calls
    # Nothing else is called on its thread before a call returns.
    for asked_ns, by in ((calls.end_ns, since), (calls.start_ns, until)):
        stage, _ = attribute_ops(asked_ns[by], int64(calls.thread[by]), ranges, process)
        touched[stage[stage >= 0]] = True
    since_ns = calls.end_ns[since]
    until_ns = calls.start_ns[until]
    order = np.argsort(ranges.start_ns, kind="stable")
    start_ns = ranges.start_ns[order]
    first, last = np.searchsorted(start_ns, since_ns), np.searchsorted(start_ns, until_ns, side="right")
    opened = np.zeros(len(ranges) + 1, dtype=np.int64)
    np.add.at(opened, first, 1)
    np.add.at(opened, np.maximum(first, last), -1)
    touched[order] |= np.cumsum(opened)[:-1] > 0
    return Unlaunched(len(rows), [ALL_STAGES[code] for code in distinct(ranges.stage[touched])])


def _neighbours(trace: Trace, work: Work, lacking: I64) -> tuple[I64, I64, I64]:
    """Those that run behind an op with a launch on their stream; and the launches of the nearest before and behind.

    -1 where none with a launch runs behind.
    """
    ops = trace.ops
    found = [(lacking[:0],) * 3]
    wants = np.zeros(len(ops), dtype=np.bool_)
    wants[lacking] = True
    for window in recorded_windows(trace, ops.device, ops.start_ns) if len(lacking) else []:
        for of_stream in grouped(ops.stream[window]).values():
            own = window[of_stream]
            own = own[np.argsort(ops.start_ns[own], kind="stable")]
            launched, place = work.call[own] >= 0, np.arange(len(own))
            before = np.maximum.accumulate(np.where(launched, place, -1))
            behind = np.minimum.accumulate(np.where(launched, place, len(own))[::-1])[::-1]
            wanted = np.flatnonzero(wants[own] & (before >= 0))
            calls = np.append(work.call[own], -1)
            found.append((int64(own[wanted]), calls[before[wanted]], calls[behind[wanted]]))
    rows, before, behind = (int64(np.concatenate(column)) for column in zip(*found, strict=True))
    return rows, before, behind


def _narrowed(trace: Trace, rows: I64, before: I64, behind: I64) -> tuple[I64, I64]:
    """The calls between which each of these was launched: those of its stream, or nearer ones by their numbers."""
    calls = trace.calls
    usable = np.flatnonzero(calls.correlation != NO_CORRELATION)
    order = usable[np.argsort(calls.correlation[usable], kind="stable")]
    place = np.searchsorted(calls.correlation[order], trace.ops.correlation[rows])
    inside = (place > 0) & (place < len(order))
    lower, upper = order[np.maximum(place, 1) - 1], order[np.minimum(place, len(order) - 1)]
    start_ns = calls.start_ns
    until_ns = np.where(behind >= 0, start_ns[behind], trace.ops.start_ns[rows])
    fits = inside & (start_ns[before] <= start_ns[lower]) & (start_ns[lower] <= start_ns[upper])
    fits &= start_ns[upper] <= until_ns
    return int64(np.where(fits, lower, before)), int64(np.where(fits, upper, behind))

"""From device op to launch to stage: by correlation and thread, never by time overlap on the device.

Launches are asynchronous, so what runs during a stage's range was often asked for before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from tracer.analysis.intervals import Cover, Nest, distinct
from tracer.trace.columns import NO_CORRELATION, int8, int64

if TYPE_CHECKING:
    from tracer.analysis.stages import StageRanges
    from tracer.trace.columns import I8, I64, Trace


class Reason(IntEnum):
    """Why an op belongs to no stage."""

    ATTRIBUTED = -1
    NO_LAUNCH_RECORD = 0
    OUTSIDE_RANGES = 1
    OTHER_THREAD = 2


@dataclass(frozen=True, slots=True)
class Attribution:
    """For each device op, or CPU operator, of a trace.

    Attributes:
        call: index of the host call that launched it; -1 without a record.
        stage: index of the innermost stage range around that call; -1 outside all.
        reason: a `Reason`.
    """

    call: I64
    stage: I64
    reason: I8


def attribute(trace: Trace, stages: StageRanges) -> Attribution:
    """Join every device op to its launch and the launch to its stage."""
    call = find_launches(trace)
    launched = np.flatnonzero(call >= 0)
    start = trace.calls.start_ns[call[launched]]
    thread = int64(trace.calls.thread[call[launched]])
    stage = np.full(len(call), -1, dtype=np.int64)
    stage[launched] = innermost_stage(stages, start, thread)
    reason = np.full(len(call), Reason.NO_LAUNCH_RECORD, dtype=np.int8)
    elsewhere = _open_elsewhere(stages, start)
    reason[launched] = np.where(elsewhere, Reason.OTHER_THREAD, Reason.OUTSIDE_RANGES)
    reason[stage >= 0] = Reason.ATTRIBUTED
    return Attribution(call, stage, int8(reason))


def innermost_stage(stages: StageRanges, times_ns: I64, thread: I64) -> I64:
    """The innermost stage range that holds each time on its thread, or -1."""
    found = np.full(len(times_ns), -1, dtype=np.int64)
    for number in distinct(stages.thread):
        own = np.flatnonzero(stages.thread == number)
        asked = np.flatnonzero(thread == number)
        place = Nest.of(stages.start_ns[own], stages.end_ns[own]).innermost(times_ns[asked])
        found[asked] = np.where(place >= 0, own[place], -1)
    return found


def _open_elsewhere(stages: StageRanges, times_ns: I64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether any stage range is open at each time, on whatever thread."""
    cover = Cover.of(stages.start_ns, stages.end_ns)
    return np.asarray(cover.before(times_ns + 1) > cover.before(times_ns))


def find_launches(trace: Trace) -> I64:
    """For each device op, the index of the host call that launched it, or -1.

    A launch may be recorded by the runtime and by the driver below it, with one correlation: the outer call
    counts. Where a correlation occurs again (a counter that wrapped, files joined), the last call that began
    before the op did is the one.
    """
    ops, calls = trace.ops, trace.calls
    usable = np.flatnonzero(calls.correlation != NO_CORRELATION)
    order = usable[np.lexsort((-calls.end_ns[usable], calls.start_ns[usable], calls.correlation[usable]))]
    order = _without_inner_calls(trace, order)
    if not len(order):
        return np.full(len(ops), -1, dtype=np.int64)
    correlation = calls.correlation[order]
    first = np.searchsorted(correlation, ops.correlation, side="left")
    count = np.searchsorted(correlation, ops.correlation, side="right") - first
    place = np.minimum(first, len(order) - 1)
    repeated = np.flatnonzero(count > 1)
    if len(repeated):
        earlier = _last_before(correlation, calls.start_ns[order], ops.correlation[repeated], ops.start_ns[repeated])
        place[repeated] = np.maximum(earlier, first[repeated])
    known = (count > 0) & (ops.correlation != NO_CORRELATION)
    return int64(np.where(known, order[place], -1))


def _last_before(group: I64, time_ns: I64, asked_group: I64, asked_ns: I64) -> I64:
    """For each asked (group, time), the last row not above it, or -1; rows are sorted by group and time."""
    asked = np.concatenate([np.zeros(len(group), dtype=np.int64), np.ones(len(asked_group), dtype=np.int64)])
    order = np.lexsort((asked, np.concatenate([time_ns, asked_ns]), np.concatenate([group, asked_group])))
    rows = np.maximum.accumulate(np.where(asked[order] == 0, order, -1))
    found = np.empty(len(asked_group), dtype=np.int64)
    is_asked = asked[order] == 1
    found[order[is_asked] - len(group)] = rows[is_asked]
    return found


def _without_inner_calls(trace: Trace, order: I64) -> I64:
    """Drop calls that lie inside the one before them with the same correlation and thread."""
    if len(order) < 2:
        return order
    calls = trace.calls
    before, after = order[:-1], order[1:]
    inner = (
        (calls.correlation[before] == calls.correlation[after])
        & (calls.thread[before] == calls.thread[after])
        & (calls.end_ns[after] <= calls.end_ns[before])
    )
    return int64(order[np.concatenate([[True], ~inner])])

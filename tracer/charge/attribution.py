"""From device op to launch to stage: by correlation and thread, never by time overlap on the device.

Launches are asynchronous, so what runs during a stage's range was often asked for before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int8, int64
from tracer.charge.intervals import Nest, distinct
from tracer.charge.launches import find_launches

if TYPE_CHECKING:
    from tracer.arrays import I8, I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Spans, Trace


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


def attribute(trace: Trace, stages: StageRanges, *, any_thread: bool = False) -> Attribution:
    """Join every device op to its launch and the launch to its stage.

    With `any_thread`, an op launched by a thread on which no stage is open belongs to the stage open at that time on
    another thread, if one is. That is a guess, right for the backward pass of training and for helper threads.
    """
    call = find_launches(trace)
    launched = np.flatnonzero(call >= 0)
    start = trace.calls.start_ns[call[launched]]
    thread = int64(trace.calls.thread[call[launched]])
    stage = np.full(len(call), -1, dtype=np.int64)
    stage[launched] = innermost_stage(stages, start, thread)
    elsewhere = Nest.of(stages.start_ns, stages.end_ns).innermost(start)
    if any_thread:
        stage[launched] = np.where(stage[launched] >= 0, stage[launched], elsewhere)
    reason = np.full(len(call), Reason.NO_LAUNCH_RECORD, dtype=np.int8)
    reason[launched] = np.where(elsewhere >= 0, Reason.OTHER_THREAD, Reason.OUTSIDE_RANGES)
    reason[stage >= 0] = Reason.ATTRIBUTED
    return Attribution(call, stage, int8(reason))


def innermost_stage(stages: StageRanges | Spans, times_ns: I64, thread: I64) -> I64:
    """The innermost stage range, or span, that holds each time on its thread, or -1."""
    found = np.full(len(times_ns), -1, dtype=np.int64)
    for number in distinct(stages.thread):
        own = np.flatnonzero(stages.thread == number)
        asked = np.flatnonzero(thread == number)
        place = Nest.of(stages.start_ns[own], stages.end_ns[own]).innermost(times_ns[asked])
        found[asked] = np.where(place >= 0, own[place], -1)
    return found

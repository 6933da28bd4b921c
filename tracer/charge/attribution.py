"""From launch to stage: by correlation and thread, never by time overlap on the device.

Launches are asynchronous, so what runs during a stage's range was often asked for before it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int8
from tracer.charge.intervals import PIECE, Nest, distinct
from tracer.charge.spans import MOST_PIECES, innermost_span
from tracer.trace.columns import NO_THREAD

if TYPE_CHECKING:
    from tracer.arrays import I8, I64
    from tracer.charge.stages.ranges import StageRanges


class Reason(IntEnum):
    """Why a piece of work belongs to no stage."""

    ATTRIBUTED = -1
    NO_LAUNCH_RECORD = 0
    OUTSIDE_RANGES = 1
    OTHER_THREAD = 2


def attribute_ops(
    asked_ns: I64, thread: I64, ranges: StageRanges, process: I64, *, any_thread: bool = False
) -> tuple[I64, I8]:
    """The innermost stage range around the launch of each device op, -1 outside all, and a `Reason`.

    With `any_thread`, an op launched by a thread on which no stage is open belongs to the stage open at that time on
    another thread of its process, if one is. That is a guess, right for the backward pass of training and for helper
    threads.

    Args:
        asked_ns: start of each op's launch call.
        thread: of that call; NO_THREAD without a record.
        ranges: the stages.
        process: of each thread.
        any_thread: see above.
    """
    stage = np.full(len(thread), -1, dtype=np.int64)
    without = [np.empty(0, dtype=np.int64)]
    # In parts: all together take many times their own memory.
    size = max(PIECE, -(-len(thread) // MOST_PIECES))
    for at in range(0, len(thread), size):
        launched = np.flatnonzero(thread[at : at + size] != NO_THREAD) + at
        stage[launched] = innermost_span(ranges, asked_ns[launched], thread[launched])
        without.append(launched[stage[launched] < 0])
    rest = np.concatenate(without)
    elsewhere = np.full(len(rest), -1, dtype=np.int64)
    process_of_range, process_of_op = process[ranges.thread], process[thread[rest]]
    for number in distinct(process_of_range):
        own, asked = np.flatnonzero(process_of_range == number), np.flatnonzero(process_of_op == number)
        place = Nest.of(ranges.start_ns[own], ranges.end_ns[own]).innermost(asked_ns[rest[asked]])
        elsewhere[asked] = np.where(place >= 0, own[place], -1)
    if any_thread:
        stage[rest] = elsewhere
    reason = np.full(len(thread), Reason.NO_LAUNCH_RECORD, dtype=np.int8)
    reason[rest] = np.where(elsewhere >= 0, Reason.OTHER_THREAD, Reason.OUTSIDE_RANGES)
    reason[stage >= 0] = Reason.ATTRIBUTED
    return stage, int8(reason)


def attribute_operators(start_ns: I64, thread: I64, ranges: StageRanges) -> tuple[I64, I8]:
    """The innermost stage range around the start of each CPU operator, -1 outside all, and a `Reason`."""
    stage = innermost_span(ranges, start_ns, thread)
    return stage, int8(np.where(stage >= 0, Reason.ATTRIBUTED, Reason.OUTSIDE_RANGES))

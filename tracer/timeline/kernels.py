"""The table of kernels: a row for each name in each stage, with how it was launched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.intervals import sum_by
from tracer.document.names import ALL_STAGES
from tracer.document.timeline import KernelRow, Launch, Place
from tracer.kernels.categories import categorise
from tracer.timeline.names import short

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Launched, LaunchShape, Trace

MOST_ROWS = 2000
# Ways of launching that a row spells out.
MOST_LAUNCHES = 6


def kernel_table(trace: Trace, ranges: StageRanges, work: Work, origin_ns: int) -> tuple[list[KernelRow], int, int]:
    """The rows with the most time, then how many are left out, and their time.

    Args:
        trace: with `launched`, if that is to be said.
        ranges: its stages.
        work: its work.
        origin_ns: of the timeline.
    """
    stage, each_ns = work.stage_code(ranges), (work.start_ns, work.end_ns, work.time_ns)
    _, key = coded(int64(work.name) * (len(ALL_STAGES) + 1) + stage + 1)
    size = int(key.max()) + 1 if len(key) else 0
    time_ns = sum_by(key, each_ns[-1], size)
    order = np.argsort(key, kind="stable")
    begin = np.searchsorted(key[order], np.arange(size + 1))
    by_time = np.argsort(-time_ns, kind="stable")
    rows = [
        _row(trace, work, stage, order[begin[number] : begin[number + 1]], each_ns, origin_ns)
        for number in by_time[:MOST_ROWS].tolist()
    ]
    rest = by_time[MOST_ROWS:]
    return rows, len(rest), int(time_ns[rest].sum())


def _row(trace: Trace, work: Work, stage: I64, own: I64, each_ns: tuple[I64, I64, I64], origin_ns: int) -> KernelRow:
    """One name in one stage.

    Args:
        trace, work, stage: stages by their code, of all of the work.
        own: the row's part of it.
        each_ns: start, end and time of all, which are made once for all rows.
        origin_ns: of the timeline.
    """
    start_ns, end_ns, time_ns = each_ns
    name = trace.strings[work.name[own[0]]]
    longest = int(own[np.argmax(time_ns[own])])
    code = int(stage[own[0]])
    launches = [] if trace.launched is None or not work.on_device else _launches(trace.launched, time_ns, own)
    return KernelRow(
        name=short(name),
        stage=ALL_STAGES[code] if code >= 0 else "",
        category=categorise(name),
        count=len(own),
        time_ns=int(time_ns[own].sum()),
        longest=Place(
            start_ns=int(start_ns[longest]) - origin_ns, end_ns=int(end_ns[longest]) - origin_ns, what="the longest"
        ),
        launches=launches[:MOST_LAUNCHES],
        launched_otherwise=max(0, len(launches) - MOST_LAUNCHES),
    )


def _launches(launched: Launched, each_ns: I64, own: I64) -> list[Launch]:
    """The ways in which these were launched, the most time first."""
    own = own[launched.of_op[own] >= 0]
    numbers, number = coded(launched.of_op[own])
    time_ns = sum_by(number, each_ns[own], len(numbers))
    count = np.bincount(number, minlength=len(numbers))
    order = np.argsort(-time_ns, kind="stable").tolist()
    return [launch_of(launched.shapes[numbers[i]], int(count[i]), int(time_ns[i])) for i in order]


def launch_of(shape: LaunchShape, count: int = 0, time_ns: int = 0) -> Launch:
    """How kernels were launched, as the document says it."""
    return Launch(
        grid=shape.grid,
        block=shape.block,
        registers=shape.registers,
        shared_bytes=shape.shared_bytes,
        occupancy=shape.occupancy,
        count=count,
        time_ns=time_ns,
    )

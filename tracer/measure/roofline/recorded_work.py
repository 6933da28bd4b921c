"""What each stage computed and moved, from the operators whose shapes were recorded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int32, int64
from tracer.charge.intervals import distinct, outermost
from tracer.charge.operators import operators_of
from tracer.charge.spans import innermost_span
from tracer.measure.roofline.shapes import LEAVES, PARENTS, OperatorWork, work_of
from tracer.trace.columns import Spans

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.arrays import I64, Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

NO_STAGE = -1
# The summary's numbers have 64 bits; a damaged file must not end in a traceback.
MOST = 1 << 62


@dataclass(frozen=True, slots=True)
class StageWork:
    """All runs of a stage: operations, bytes, and the device time of what the operators with a formula launched.

    `hideable_flops` of the operations may be hidden by causal masks.
    """

    flops: int
    bytes: int
    covered_ns: int
    hideable_flops: int = 0


@dataclass(frozen=True, slots=True)
class RecordedWork:
    """What the operators with recorded shapes computed.

    Attributes:
        dtype: the type in which most operations were done.
        stages: by the stage's place in `ALL_STAGES`; NO_STAGE for what lies outside all.
    """

    dtype: str
    stages: dict[int, StageWork]

    @property
    def whole(self) -> StageWork:
        """All stages, and what is outside them."""
        works = self.stages.values()
        return StageWork(
            flops=min(MOST, sum(one.flops for one in works)),
            hideable_flops=min(MOST, sum(one.hideable_flops for one in works)),
            bytes=min(MOST, sum(one.bytes for one in works)),
            covered_ns=sum(one.covered_ns for one in works),
        )


def recorded_work(trace: Trace, ranges: StageRanges, work: Work) -> RecordedWork | None:
    """Add up the work of each stage; None where no operator with a formula has its shapes in the trace.

    Args:
        trace: with its CPU operators and their details.
        ranges: its stages. An operator belongs to the one open on its thread when it began.
        work: of the trace.
    """
    rows, works = _counted(trace)
    if not len(rows):
        return None
    spans = trace.cpu_ops
    stage = _codes(ranges, innermost_span(ranges, spans.start_ns[rows], int64(spans.thread[rows])))
    covered = _covered(trace, rows, work)
    stage_of_op = work.stage_code(ranges)
    types: Counter[str] = Counter()
    for one in works:
        types[one.dtype] += one.flops
    found = {}
    for code in distinct(stage):
        own = [works[place] for place in np.flatnonzero(stage == code).tolist()]
        found[code] = StageWork(
            flops=min(MOST, sum(one.flops for one in own)),
            hideable_flops=min(MOST, sum(one.hideable_flops for one in own)),
            bytes=min(MOST, sum(one.bytes for one in own)),
            covered_ns=int(work.time_ns[covered & (stage_of_op == code)].sum()),
        )
    return RecordedWork(dtype=types.most_common(1)[0][0], stages=found)


def _codes(ranges: StageRanges, held_by: I64) -> I64:
    return int64(np.where(held_by >= 0, ranges.stage[held_by], NO_STAGE)) if len(ranges) else held_by


def _counted(trace: Trace) -> tuple[I64, list[OperatorWork]]:
    """The operators that count, and the work of each; no work counts twice."""
    if trace.details is None:
        return int64([]), []
    works = _works(trace)
    leaves = _outermost(trace.cpu_ops, _named(trace, LEAVES, works))
    parents = _named(trace, PARENTS, works)
    alone = _outermost(trace.cpu_ops, parents[~_holding(trace.cpu_ops, parents, leaves)])
    rows = int64(np.concatenate([leaves, alone]))
    return rows, [works[row] for row in rows.tolist()]


def _works(trace: Trace) -> dict[int, OperatorWork]:
    """The work of each operator for which it is known."""
    if trace.details is None:
        return {}
    shape, shapes = trace.details.shape, trace.details.shapes
    known: dict[tuple[int, int], OperatorWork | None] = {}
    found = {}
    formula = np.array([name in LEAVES or name in PARENTS for name in trace.strings], dtype=np.bool_)
    rows = np.flatnonzero(formula[trace.cpu_ops.name] & (shape >= 0)) if len(shape) else shape
    for row, name, number in zip(rows.tolist(), trace.cpu_ops.name[rows].tolist(), shape[rows].tolist(), strict=True):
        if (name, number) not in known:
            known[name, number] = work_of(trace.strings[name], *shapes[number])
        if (work := known[name, number]) is not None:
            found[row] = work
    return found


def _named(trace: Trace, names: Iterable[str], works: dict[int, OperatorWork]) -> I64:
    """The operators of these names whose work is known."""
    wanted = set(names)
    return int64([row for row in works if trace.strings[trace.cpu_ops.name[row]] in wanted])


def _outermost(spans: Spans, rows: I64) -> I64:
    found = [rows[:0]]
    for thread in distinct(spans.thread[rows]):
        own = rows[spans.thread[rows] == thread]
        found.append(own[outermost(spans.start_ns[own], spans.end_ns[own])])
    return int64(np.concatenate(found))


def _holding(spans: Spans, rows: I64, inner: I64) -> Bools:
    """In which of these spans one of `inner` starts on their thread."""
    holds = np.zeros(len(rows), dtype=np.bool_)
    for thread in distinct(spans.thread[rows]):
        own = np.flatnonzero(spans.thread[rows] == thread)
        starts = np.sort(spans.start_ns[inner[spans.thread[inner] == thread]])
        low = np.searchsorted(starts, spans.start_ns[rows[own]], side="left")
        holds[own] = np.searchsorted(starts, spans.end_ns[rows[own]], side="left") > low
    return holds


def _covered(trace: Trace, rows: I64, work: Work) -> Bools:
    """Which pieces of work were launched by one of these operators, or by something inside it."""
    spans = trace.cpu_ops
    asker = operators_of(trace, work).row if work.on_device else np.arange(len(work), dtype=np.int64)
    counted = Spans(spans.start_ns[rows], spans.end_ns[rows], int32(spans.name[rows]), int32(spans.thread[rows]))
    known = np.flatnonzero(asker >= 0)
    held = innermost_span(counted, spans.start_ns[asker[known]], int64(spans.thread[asker[known]]))
    covered = np.zeros(len(work), dtype=np.bool_)
    covered[known] = held >= 0
    return covered

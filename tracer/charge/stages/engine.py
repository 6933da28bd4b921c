"""Stages of a serving engine: each range is a step of the whole batch, and its name says what the batch was.

A step inside another is no second one, as where two programs label the same pass; it may have the sums that the outer
label lacks. A step may reach beyond its range (`reach`). What lies inside steps or behind them, as encoding pictures
and drafting do, is a part: a stage of its own that ends where its range ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import Nest, distinct
from tracer.charge.launches import find_launches
from tracer.charge.spans import enclosing
from tracer.charge.stages.batch import NO_LABEL, Label
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.stages.reach import reaching
from tracer.charge.stages.source import StageSource
from tracer.document.names import ALL_STAGES, DECODE, DRAFT, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Trace

_DECODE, _DRAFT = ALL_STAGES.index(DECODE), ALL_STAGES.index(DRAFT)
NO_STAGE = -1
# A prompt's step may be of both models: what its label says of neither is not claimed.
_ROLES = {DECODE: TARGET, DRAFT: DRAFT}


class Kind(Enum):
    """What a range with a label is."""

    STEP = auto()  # of a stage, or of none: as one that waits for the other ranks
    PART = auto()  # of steps
    AROUND = auto()  # tells of the step inside it


@dataclass(frozen=True, slots=True)
class Range:
    """What the name of a range means.

    Attributes:
        kind: what it is.
        stage: "" of none.
        label: what it says of the batch.
        drafting: whether it says itself that a draft model works: then nobody has to guess which steps are a draft's.
    """

    kind: Kind
    stage: str = ""
    label: Label = NO_LABEL
    drafting: bool = False


Settle: TypeAlias = "Callable[[Sequence[Range], Sequence[int]], list[str]]"


def _as_they_are(steps: Sequence[Range], _asked: Sequence[int]) -> list[str]:
    return [one.stage for one in steps]


def engine(
    markers: str,
    rank: int,
    read: Callable[[str], Range | None],
    settle: Settle = _as_they_are,
) -> StageSource:
    """A source that reads the labels of an engine.

    Args:
        markers, rank: see `StageSource`.
        read: what a name means; None of any other.
        settle: the stages of one thread's steps, in their order, where those beside a step tell more of it; given how
            many device ops each asked for, too.
    """
    return StageSource(markers=markers, rank=rank, find=partial(_find, markers=markers, read=read, settle=settle))


def _find(
    trace: Trace,
    *,
    markers: str,
    read: Callable[[str], Range | None],
    settle: Settle,
) -> StageRanges | None:
    names = {code: trace.strings[code] for code in distinct(trace.ranges.name)}
    meaning = {code: _of_somebody(found) for code, name in names.items() if (found := read(name)) is not None}
    if not any(one.kind is Kind.STEP and one.stage for one in meaning.values()):
        return None

    def rows_of(kind: Kind) -> I64:
        codes = [code for code, one in meaning.items() if one.kind is kind]
        rows = np.flatnonzero(np.isin(trace.ranges.name, codes))
        return int64(rows[np.lexsort((-trace.ranges.end_ns[rows], trace.ranges.start_ns[rows]))])

    steps, parts, around = (rows_of(kind) for kind in (Kind.STEP, Kind.PART, Kind.AROUND))
    drafting = int64([row for row in parts.tolist() if meaning[int(trace.ranges.name[row])].stage == DRAFT])
    # A draft model's own steps are what is inside; where drafting has ranges, nobody has to guess which they are.
    steps = steps[~_within(trace, steps, drafting)]
    settle = _as_they_are if len(drafting) or any(one.drafting for one in meaning.values()) else settle
    steps, inner = _whole_and_inner(trace, steps)
    labels = _told_around(trace, steps, around, meaning)
    labels = _told_inside(trace, steps, labels, int64([*inner, *around]), meaning)
    whole = reaching(trace, _ranges(trace, markers, steps, _settled(trace, steps, meaning, settle), labels))
    alone = [meaning[name].stage for name in trace.ranges.name[parts].tolist()]
    beside = _ranges(trace, markers, parts, alone, [NO_LABEL] * len(parts))
    return _with_parts(_holding(whole, beside), beside)


def _of_somebody(one: Range) -> Range:
    """The same; a step that holds no request is of no stage, as where a rank only keeps the others company."""
    return replace(one, stage="") if one.kind is Kind.STEP and one.label.requests == 0 else one


def _within(trace: Trace, rows: I64, outer: I64) -> Bools:
    """Which of these ranges lie inside one of `outer` on their thread."""
    holder = enclosing(trace.ranges, outer, rows)
    return (holder >= 0) & (trace.ranges.end_ns[rows] <= trace.ranges.end_ns[holder])


def _settled(trace: Trace, steps: I64, meaning: Mapping[int, Range], settle: Settle) -> list[str]:
    """The stage of each step, by those beside it on its thread."""
    found = [""] * len(steps)
    for thread in distinct(trace.ranges.thread[steps]):
        own = np.flatnonzero(trace.ranges.thread[steps] == thread).tolist()
        asked = _asked(trace, steps[own]) if settle is not _as_they_are else int64([])
        stages = settle([meaning[name] for name in trace.ranges.name[steps[own]].tolist()], asked.tolist())
        for place, stage in zip(own, stages, strict=True):
            found[place] = stage
    return found


def _asked(trace: Trace, steps: I64) -> I64:
    """How many device ops each of these steps of one thread asked for."""
    launch = find_launches(trace)
    launch = launch[launch >= 0]
    times = np.sort(trace.calls.start_ns[launch[trace.calls.thread[launch] == trace.ranges.thread[steps[0]]]])
    low, high = (np.searchsorted(times, edge[steps]) for edge in (trace.ranges.start_ns, trace.ranges.end_ns))
    return int64(high - low)


def _ranges(trace: Trace, markers: str, rows: I64, stages: list[str], labels: list[Label]) -> StageRanges:
    """These ranges of the trace as they stand."""
    stage = int64([ALL_STAGES.index(one) if one else NO_STAGE for one in stages])
    return replace(
        StageRanges.none(),
        markers=markers,
        start_ns=trace.ranges.start_ns[rows],
        end_ns=trace.ranges.end_ns[rows],
        thread=int64(trace.ranges.thread[rows]),
        stage=stage,
        index=np.full(len(rows), -1, dtype=np.int64),
        request=np.full(len(rows), -1, dtype=np.int64),
        labels=tuple(labels),
    )


def _told_around(trace: Trace, steps: I64, around: I64, meaning: Mapping[int, Range]) -> list[Label]:
    """The label of each step: its own, with what the range around it says where it lacks the sums."""
    ranges = trace.ranges
    labels = [meaning[name].label for name in ranges.name[steps].tolist()]
    for step, outer in enumerate(enclosing(ranges, around, steps).tolist()):
        if outer >= 0 and not labels[step].summed:
            told = meaning[int(ranges.name[outer])].label
            labels[step] = replace(told, mode=labels[step].mode)
    return labels


def _whole_and_inner(trace: Trace, steps: I64) -> tuple[I64, I64]:
    """Steps that lie in no other on their thread, and those that do; both in the order of their start."""
    ranges = trace.ranges
    inside = np.zeros(len(steps), dtype=np.bool_)
    for thread in distinct(ranges.thread[steps]):
        own = np.flatnonzero(ranges.thread[steps] == thread)
        end_ns = ranges.end_ns[steps[own]]
        inside[own[1:]] = end_ns[1:] <= np.maximum.accumulate(end_ns)[:-1]
    return steps[~inside], steps[inside]


def _told_inside(
    trace: Trace, steps: I64, labels: list[Label], inner: I64, meaning: Mapping[int, Range]
) -> list[Label]:
    """The labels of the steps; where one lacks the sums and a label inside it has them, with these."""
    ranges, found = trace.ranges, list(labels)
    for thread in distinct(ranges.thread[inner]):
        own = np.flatnonzero(ranges.thread[steps] == thread)
        nest = Nest.of(ranges.start_ns[steps[own]], ranges.end_ns[steps[own]])
        asked = inner[ranges.thread[inner] == thread]
        for row, place in zip(asked.tolist(), nest.innermost(ranges.start_ns[asked]).tolist(), strict=True):
            told, step = meaning[int(ranges.name[row])].label, own[place]
            if place >= 0 and ranges.end_ns[row] <= ranges.end_ns[steps[step]] and told.summed:
                found[step] = found[step] if found[step].summed else replace(told, mode=found[step].mode)
    return found


def _holding(steps: StageRanges, parts: StageRanges) -> StageRanges:
    """The same steps; each lasts until the parts that begin before the next step are over."""
    end_ns = steps.end_ns.copy()
    for thread in distinct(parts.thread):
        own = np.flatnonzero(steps.thread == thread)
        part = np.flatnonzero(parts.thread == thread)
        place = np.searchsorted(steps.start_ns[own], parts.start_ns[part], side="right") - 1
        following = np.append(steps.start_ns[own], np.iinfo(np.int64).max)[place + 1]
        held = place >= 0
        ends = np.minimum(parts.end_ns[part], following)[held]
        np.maximum.at(end_ns, own[place[held]], ends)
    return replace(steps, end_ns=end_ns)


def _with_parts(steps: StageRanges, parts: StageRanges) -> StageRanges:
    """Steps that are stages, and the parts among them, in the order of their start; decode steps numbered from 1."""
    chosen = np.flatnonzero(steps.stage != NO_STAGE)
    start, end, thread, stage = (
        np.concatenate([getattr(steps, name)[chosen], getattr(parts, name)])
        for name in ("start_ns", "end_ns", "thread", "stage")
    )
    labels = [*(steps.labels[place] for place in chosen.tolist()), *parts.labels]
    order = np.lexsort((-end, start))
    stage = stage[order]
    decodes = stage == _DECODE
    labels = [labels[place] for place in order.tolist()]
    drafted = bool((stage == _DRAFT).any()) or any(one.checks for one in labels)
    return replace(
        steps,
        start_ns=start[order],
        end_ns=end[order],
        thread=thread[order],
        stage=stage,
        index=int64(np.where(decodes, np.cumsum(decodes), -1)),
        request=np.full(len(order), -1, dtype=np.int64),
        labels=tuple(labels),
        engine=True,
        # A pass that checks a draft yields as many tokens as it accepts, and one more.
        tokens=not drafted,
        roles=tuple(_ROLES.get(ALL_STAGES[code], "") for code in stage.tolist()) if drafted else (),
    )

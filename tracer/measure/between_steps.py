"""Idle time between the steps of a serving engine: gaps of a device that no one step lies on both sides of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int32, int64
from tracer.charge.intervals import PIECE, Nest, distinct, outermost
from tracer.charge.stages.batch import NO_LABEL
from tracer.document.names import ALL_STAGES
from tracer.document.summary import IdleBetweenSteps
from tracer.measure.idle import idle_of
from tracer.packed import pieces, some
from tracer.trace.api import launches_graph

if TYPE_CHECKING:
    from tracer.arrays import I32, I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


IDLE = ("host_ns", "sync_ns", "launch_ns", "unknown_ns")


@dataclass(frozen=True, slots=True)
class BetweenSteps:
    """What was found.

    Attributes:
        told: as the document says it.
        by_stage: the host's part of the gaps that work of a stage ended, by index into ALL_STAGES.
    """

    told: IdleBetweenSteps
    by_stage: dict[int, int]

    def host_ns_of(self, stage: str) -> int:
        """The host's part of the gaps that work of this stage ended."""
        return self.by_stage.get(ALL_STAGES.index(stage), 0)


def between_steps(trace: Trace, ranges: StageRanges, work: Work) -> BetweenSteps | None:
    """Look at each gap; None of a trace without an engine's steps, or without such a gap.

    None as well where a step has no work at all or a graph's replay none: it was not recorded, and the device may have
    been busy with it.

    A gap belongs here if what ran before it and what ends it are not of one step. Of what no step was open for, only
    the part counts in which the next op had been asked for: a pause of traffic is no idle time of the engine.
    """
    if not ranges.engine or not work.on_device or _lost(trace, ranges, work):
        return None
    rows = _crossing(_step_of(ranges, work), work)
    idle_ns = np.add.reduce([getattr(work, name)[rows] for name in IDLE])
    rows, idle_ns = rows[idle_ns > 0], idle_ns[idle_ns > 0]
    if not len(rows):
        return None
    code = work.stage_code(ranges)[rows]
    return BetweenSteps(
        IdleBetweenSteps(
            gaps=len(rows),
            idle=idle_of(work, rows),
            longest_ns=int(idle_ns.max()),
            of_ns=sum(int(piece.sum()) for name in ("busy_ns", *IDLE) for piece in pieces(work, name)),
        ),
        {stage: int(work.host_ns[rows[code == stage]].sum()) for stage in distinct(code)},
    )


def _lost(trace: Trace, ranges: StageRanges, work: Work) -> bool:
    """Whether a step or the replay of a graph left no work."""
    steps = [place for place, label in enumerate(ranges.labels) if label != NO_LABEL]
    worked = np.zeros(len(ranges) + 1, dtype=np.bool_)  # the last, of work outside all, is nobody's
    worked[work.stage] = True
    replays = np.array([launches_graph(name) for name in trace.strings], dtype=np.bool_)
    asked = np.flatnonzero(replays[trace.calls.name]) if len(trace.calls) else int64([])
    recorded = np.zeros(len(trace.calls) + 1, dtype=np.bool_)
    recorded[work.call] = True  # the last, of work without a call
    return bool((~worked[steps]).any()) or not bool(recorded[asked].all())


def _step_of(ranges: StageRanges, work: Work) -> I32:
    """Of each piece of work the outermost range that it was asked for in, -1 outside all."""
    outer = np.full(len(ranges) + 1, -1, dtype=np.int64)
    for thread in distinct(ranges.thread):
        own = np.flatnonzero(ranges.thread == thread)
        steps = own[outermost(ranges.start_ns[own], ranges.end_ns[own])]
        place = Nest.of(ranges.start_ns[steps], ranges.end_ns[steps]).innermost(ranges.start_ns[own])
        outer[own] = np.where(place >= 0, steps[place], own)
    return int32(outer)[work.stage]


def _crossing(step: I32, work: Work) -> I64:
    """The work that ended a gap, and is of another step than what ran before, or of none."""
    found = [int64([])]
    gaps = zip(*(pieces(work, name) for name in (*IDLE, "between_ns")), strict=True)
    ended = np.concatenate([np.add.reduce(parts) > 0 for parts in gaps])
    for device in distinct(work.device):
        own = int32(np.flatnonzero(work.device == device))
        own = own[np.argsort(work.start_ns[own], kind="stable")]
        # What ran before a gap is what reached furthest.
        before, furthest_ns = own[0], np.iinfo(np.int64).min
        for at in range(0, len(own), PIECE):
            rows = own[at : at + PIECE]
            end_ns = some(work, "end_ns", rows)
            so_far_ns = np.maximum.accumulate(np.maximum(end_ns, furthest_ns))
            place = np.maximum.accumulate(np.where(end_ns == so_far_ns, np.arange(len(rows)), -1))
            behind = np.append(before, np.where(place >= 0, rows[place], before))
            crosses = (step[behind[:-1]] != step[rows]) | (step[rows] < 0)
            crosses[0] &= at > 0  # nothing ran before the first
            found.append(int64(rows[crosses & ended[rows]]))
            before, furthest_ns = behind[-1], so_far_ns[-1]
    return np.concatenate(found)

"""Which draft is checked by which pass of the target, and what each round took and yielded.

A draft within a pass of the target, as in transformers' assisted generation, is checked by it. Else marks of one number
belong together, and without numbers a draft is checked by the next pass of the target in its request. An engine drafts
at the end of a step what the next one checks.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES, DECODE, DRAFT, MAP, MIXED, PREFILL, TARGET, VERIFY
from tracer.document.summary import Round
from tracer.measure.speculating.shapes import told_by_shapes

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.measure.runs import Runs
    from tracer.trace.columns import Trace

_STAGES = (DRAFT, MAP, VERIFY, PREFILL, DECODE, MIXED)
_DRAFT, _MAP, _VERIFY, _PREFILL, _DECODE, _MIXED = map(ALL_STAGES.index, _STAGES)
_ANY = -1


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a round, as rows of the trace's stage ranges.

    Attributes:
        check: the pass that checks.
        drafts, maps: what was drafted for it, and translated into the target's vocabulary.
    """

    check: int
    drafts: list[int] = field(default_factory=list)
    maps: list[int] = field(default_factory=list)

    @property
    def rows(self) -> I64:
        """All of them."""
        return int64([*self.drafts, *self.maps, self.check])


@dataclass(frozen=True, slots=True)
class Pairing:
    """The rounds of a trace, as rows of its stage ranges.

    Attributes:
        rounds: in the order of the passes that check.
        alone: passes of the target that check nothing and process no prompt.
    """

    rounds: list[Parts]
    alone: list[int]


def pair(ranges: StageRanges) -> Pairing:
    """Tell the rounds."""
    roles = np.array(ranges.roles or ("",) * len(ranges), dtype=np.str_)
    targets = np.isin(ranges.stage, (_VERIFY, _DECODE, _PREFILL, _MIXED)) & ((roles == TARGET) | (roles == ""))
    targets &= (ranges.stage != _PREFILL) | (roles == TARGET)
    passes = int64(np.flatnonzero(targets))
    parts = [*_drafts(ranges), *np.flatnonzero(ranges.stage == _MAP).tolist()]
    rounds: dict[int, Parts] = {}
    for row, check in zip(parts, _checked_by(ranges, int64(parts), passes), strict=True):
        if check >= 0:
            own = rounds.setdefault(check, Parts(check))
            (own.maps if ranges.stage[row] == _MAP else own.drafts).append(row)
    for row in passes.tolist():  # one that is said to check does, whoever drafted
        if ranges.stage[row] == _VERIFY or (ranges.labels and ranges.labels[row].checks):
            rounds.setdefault(row, Parts(row))
    alone = [row for row in passes.tolist() if row not in rounds and ranges.stage[row] == _DECODE]
    return Pairing([rounds[row] for row in sorted(rounds)], alone)


def checks_drafts(ranges: StageRanges) -> bool:
    """Whether anything says that a pass of the trace checks a draft."""
    return DRAFT in ranges.roles or bool(ranges.results) or any(one.checks for one in ranges.labels)


def _drafts(ranges: StageRanges) -> list[int]:
    """The ranges that draft anything: of `generate`'s, the last may be left before its model runs.

    A lookup in the prompt never runs one.
    """
    drafts = np.flatnonzero(ranges.stage == _DRAFT).tolist()
    if ranges.markers != "generation" or not ranges.passes:
        return list(drafts)
    with_model = [row for row in drafts if ranges.passes[row] > 0]
    return [row for row in drafts if ranges.passes[row] != 0] if with_model else list(drafts)


def _checked_by(ranges: StageRanges, drafts: I64, passes: I64) -> list[int]:
    """The pass of the target that checks each draft; -1 where none was recorded."""
    found = [-1] * len(drafts)
    if not len(drafts) or not len(passes):
        return found
    inside = innermost_span(_part(ranges, passes), ranges.start_ns[drafts], ranges.thread[drafts])
    # An engine's step lasts until the draft is made that the next one checks.
    within = (inside >= 0) & (ranges.end_ns[drafts] <= ranges.end_ns[passes[inside]]) & (not ranges.engine)
    later = _Later(ranges, passes[ranges.stage[passes] != _PREFILL])
    for place, draft in enumerate(drafts.tolist()):
        found[place] = int(passes[inside[place]]) if within[place] else later.behind(draft)
    return found


class _Later:
    """Passes that check what was drafted before them, of one request by their numbers.

    Of several threads that work at once, each checks what it has drafted; a thread that only drafts has it checked by
    any.
    """

    def __init__(self, ranges: StageRanges, passes: I64) -> None:
        self._ranges = ranges
        self._rows: dict[tuple[int, int, int], list[int]] = {}
        self._checking: set[tuple[int, int]] = set()
        columns = (passes, ranges.request[passes], ranges.index[passes], ranges.thread[passes], ranges.stage[passes])
        for row, request, index, thread, stage in zip(*(column.tolist() for column in columns), strict=True):
            self._checking.add((request, thread))
            for number in {_ANY, index if stage == _VERIFY else _ANY}:
                for place in (_ANY, thread):
                    self._rows.setdefault((request, number, place), []).append(row)
        self._numbered = any(number != _ANY for _, number, _ in self._rows)

    def behind(self, draft: int) -> int:
        """The next of the draft's number, or of any where there are none; -1 where there is none."""
        ranges = self._ranges
        request, index, thread = (int(column[draft]) for column in (ranges.request, ranges.index, ranges.thread))
        number = index if index >= 0 and self._numbered else _ANY
        own = thread if (request, thread) in self._checking else _ANY
        rows = self._rows.get((request, number, own), [])
        place = bisect_left(rows, draft)  # rows are in the order of their starts
        return rows[place] if place < len(rows) else -1


def _part(ranges: StageRanges, rows: I64) -> StageRanges:
    return replace(ranges, start_ns=ranges.start_ns[rows], end_ns=ranges.end_ns[rows], thread=ranges.thread[rows])


def rounds_of(trace: Trace, runs: Runs, pairing: Pairing) -> list[Round]:
    """Each round, with what it took and what is told of its tokens."""
    made = {one.check: count for one in pairing.rounds if (count := _made(runs.ranges, one.drafts)) is not None}
    shapes = told_by_shapes(trace, runs.ranges, made)
    found: list[Round] = []
    counts: dict[int, int] = {}
    maps = any(parts.maps for parts in pairing.rounds)
    for parts in pairing.rounds:
        check, own = parts.check, parts.rows
        request = int(runs.ranges.request[check])
        counts[request] = counts.get(request, 0) + 1
        drafted, accepted = _tokens(runs.ranges, check, made.get(check), shapes.get(check))
        known = len(runs.whole(own)) == len(own)
        # Where something was drafted and no range says when, that is not in no time.
        made_in = bool(parts.drafts) or drafted == 0
        found.append(
            Round(
                request=request,
                index=counts[request],
                prompt=int(runs.ranges.stage[check]) in (_PREFILL, _MIXED),
                drafted=drafted,
                accepted=accepted,
                yielded=None if accepted is None else accepted + 1,
                draft_ns=_took(runs, int64(parts.drafts)) if known and made_in else None,
                map_ns=_took(runs, int64(parts.maps)) if known and (parts.maps or (maps and drafted == 0)) else None,
                verify_ns=_took(runs, int64([check])) if known else None,
                waiting_ns=int(runs.together_idle_ns[own].sum()) if known else None,
            )
        )
    return found


def _made(ranges: StageRanges, drafts: list[int]) -> int | None:
    """How many tokens the passes of a draft's model proposed: one each. None where no pass was counted."""
    passes = [ranges.passes[row] for row in drafts] if ranges.passes else []
    return sum(passes) if passes and all(made > 0 for made in passes) else None


def _tokens(
    ranges: StageRanges, check: int, made: int | None, shapes: tuple[int | None, int | None] | None
) -> tuple[int | None, int | None]:
    """Drafted and accepted tokens of a round, as far as anything tells.

    An engine's label says how many tokens its step computes for each sequence, of which one is no draft's.
    """
    result = ranges.results[check] if ranges.results else None
    if result is not None:
        return result
    if shapes is not None and shapes[0] is not None:
        return shapes
    if made is not None:
        return made, None
    group = ranges.labels[check].generation if ranges.labels else None
    if group is not None and group.requests == 1 and group.tokens is not None and group.tokens > 1:
        return group.tokens - 1, None
    return None, None


def _took(runs: Runs, own: I64) -> int:
    """Busy and idle time that passed, on however many devices; of what asked for nothing none."""
    return int(runs.together_busy_ns[own].sum() + runs.together_idle_ns[own].sum())

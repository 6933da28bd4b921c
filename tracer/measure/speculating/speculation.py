"""What speculative decoding pays: rounds beside what the target alone would take."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tracer.arrays import int64
from tracer.document.summary import MOST_ROUNDS, Abstained, Speculation, Waiting
from tracer.measure.speculating.early import before_prefill
from tracer.measure.speculating.lengths import acceptance_by_position, best_length, checks_of
from tracer.measure.speculating.roles import role_work
from tracer.measure.speculating.rounds import checks_drafts, pair, rounds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.charge.stages.ranges import StageRanges
    from tracer.document.summary import Round
    from tracer.measure.runs import Runs
    from tracer.measure.speculating.rounds import Pairing, Parts
    from tracer.trace.columns import Trace

# One step of the target by itself may be the last of an answer, or the first; of so many the median is a step's.
FEWEST_STEPS = 3
UNTOLD = "nothing in the trace says how many drafted tokens a pass accepted"
UNCOUNTED = "nothing in the trace says how many tokens a draft proposed"
UNTIMED = "work of the rounds was launched and not recorded"
UNDRAFTED = "no range says when what a pass checks was drafted"
PROMPTS = "each recorded pass that checks a draft processes a prompt too"
NO_STEPS = f"the trace has fewer than {FEWEST_STEPS} steps in which the target decodes by itself"
SHAPES = "record shapes too (record_shapes=True) and ask for them (--shapes): the cache's length tells; or mark it: "
SAY_IT = 'say it in the pass that checks: with tracer.stage("verify", index=k) as s: s.result(drafted=4, accepted=2)'
AT_ENGINE = "read it in the engine's own metrics of acceptance"
DRAFT_IT = 'mark what makes the draft: with tracer.stage("draft", index=k)'
SCOPES = "have the engine name its drafting (vLLM: VLLM_CUSTOM_SCOPES_FOR_PROFILING=1)"
WITHOUT = "record the same requests without a draft, and compare"
RECORD_STEPS = "record some steps without a draft, marked as decode, in the same run"


def speculation(trace: Trace, runs: Runs) -> Speculation | None:
    """Put it together; None of a trace in which nothing drafts.

    Args:
        trace: with the calls of modules, where stages were told by them.
        runs: of its stages.
    """
    if not checks_drafts(runs.ranges):
        return None
    pairing = pair(runs.ranges)
    rounds = rounds_of(trace, runs, pairing)
    if not rounds:
        return None
    drafted, accepted, yielded = (_total([getattr(one, name) for one in rounds]) for name in _COUNTS)
    taken, step_ns = _taken(runs, pairing, rounds), _step_ns(runs, pairing)
    told = [one for one in rounds if one.drafted is not None and one.accepted is not None]
    by_position = acceptance_by_position(told) if len(told) == len(rounds) else []
    checks = checks_of(taken.timed) if taken.known else []
    made, proposed, took_ns = taken.yielded, taken.drafted, taken.took_ns
    alone_ns = None if step_ns is None or made is None else round(step_ns * made)
    even = None if not proposed or took_ns is None or not step_ns else (took_ns / step_ns - len(taken.timed)) / proposed
    return Speculation(
        rounds=len(rounds),
        drafted_tokens=drafted,
        accepted_tokens=accepted,
        yielded_tokens=yielded,
        acceptance_by_position=by_position,
        roles=role_work(trace, runs),
        target_alone_ns=alone_ns,
        speedup=alone_ns / took_ns if alone_ns is not None and took_ns else None,
        break_even_acceptance=None if even is None else max(0.0, even),
        timed_rounds=len(taken.timed),
        told_rounds=len(told),
        told_drafted_tokens=sum(one.drafted or 0 for one in told),
        told_accepted_tokens=sum(one.accepted or 0 for one in told),
        timed_drafted_tokens=proposed,
        timed_yielded_tokens=made,
        draft_ns=taken.draft_ns,
        map_ns=taken.map_ns,
        map_cpu_ns=taken.map_cpu_ns,
        verify_ns=taken.verify_ns,
        waiting_ns=taken.waiting_ns,
        waiting=taken.waiting,
        target_step_ns=step_ns,
        rejected_token_ns=round(taken.draft_ns / proposed) if taken.draft_ns is not None and proposed else None,
        wasted_ns=taken.wasted_ns,
        checks=checks,
        best_drafted=best_length(by_position, taken.timed, checks) if taken.known else None,
        before_prefill=None if runs.ranges.engine else before_prefill(runs, pairing.rounds, _drafted(pairing, rounds)),
        unknown=dict(_unknown(drafted, accepted, step_ns, _untimed(rounds, taken))),
        each=rounds[:MOST_ROUNDS],
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    """The timed rounds, and what they took and yielded; None unless it is known of all.

    Attributes:
        timed: without the prompt's, those whose work was recorded, drafting too.
        known: whether all work of all but the prompt's was recorded, and there are any of which a range says drafting.
    """

    timed: list[Round]
    known: bool
    drafted: int | None = None
    yielded: int | None = None
    draft_ns: int | None = None
    map_ns: int | None = None
    map_cpu_ns: int | None = None
    verify_ns: int | None = None
    waiting_ns: int | None = None
    waiting: Waiting | None = None

    @property
    def took_ns(self) -> int | None:
        """All of them."""
        return sum(one.took_ns or 0 for one in self.timed) if self.known else None

    @property
    def wasted_ns(self) -> int | None:
        """Drafting and mapping of what was not accepted."""
        if not self.drafted or self.yielded is None or self.draft_ns is None:
            return None
        rejected = self.drafted - (self.yielded - len(self.timed))
        return round((self.draft_ns + (self.map_ns or 0)) * rejected / self.drafted)


def _taken(runs: Runs, pairing: Pairing, rounds: Sequence[Round]) -> _Taken:
    parts = [own for own, one in zip(pairing.rounds, rounds, strict=True) if _timed(one)]
    timed = [one for one in rounds if _timed(one)]
    # Where work was not recorded, the rounds that lack it are not like the others.
    if not timed or any(one.verify_ns is None for one in rounds if not one.prompt):
        return _Taken(timed, known=False)
    mapped = any(own.maps for own in parts)
    return _Taken(
        timed,
        known=True,
        drafted=_total([one.drafted for one in timed]),
        yielded=_total([one.yielded for one in timed]),
        draft_ns=sum(one.draft_ns or 0 for one in timed),
        map_ns=sum(one.map_ns or 0 for one in timed) if mapped else None,
        map_cpu_ns=sum(runs.cpu_ns(int64(own.maps)) for own in parts if own.maps) if mapped else None,
        verify_ns=sum(one.verify_ns or 0 for one in timed),
        waiting_ns=sum(one.waiting_ns or 0 for one in timed),
        waiting=_waiting(runs, parts),
    )


_COUNTS = ("drafted", "accepted", "yielded")


def _timed(one: Round) -> bool:
    return not one.prompt and one.took_ns is not None


def _drafted(pairing: Pairing, rounds: Sequence[Round]) -> dict[int, int]:
    told = zip(pairing.rounds, rounds, strict=True)
    return {parts.check: one.drafted for parts, one in told if one.drafted is not None}


def _waiting(runs: Runs, parts: Sequence[Parts]) -> Waiting:
    def idle_ns(rows: list[int]) -> int:
        return int(runs.together_idle_ns[rows].sum()) if rows else 0

    return Waiting(
        draft_ns=sum(idle_ns(one.drafts) for one in parts),
        map_ns=sum(idle_ns(one.maps) for one in parts),
        verify_ns=sum(idle_ns([one.check]) for one in parts),
    )


def unanswered(found: Speculation | None, ranges: StageRanges) -> Iterator[Abstained]:
    """What of it could not be told, and what to do, which depends on whose ranges told the rounds."""
    say, steps = (AT_ENGINE, WITHOUT) if ranges.engine else (SAY_IT, RECORD_STEPS)
    if ranges.markers == "generation":
        say = SHAPES + SAY_IT
    for what, reason in ({} if found is None else found.unknown).items():
        if what == "accepted_tokens":
            yield Abstained(what="accepted tokens, and what rests on them", reason=reason, next_step=say)
        elif what == "target_step_ns":
            yield Abstained(what="what the target alone would take", reason=reason, next_step=steps)
        elif what == "draft_ns" and reason == UNDRAFTED:
            yield Abstained(what="what drafting takes", reason=reason, next_step=SCOPES if ranges.engine else DRAFT_IT)


def _unknown(drafted: int | None, accepted: int | None, step_ns: int | None, untimed: str) -> Iterator[tuple[str, str]]:
    if drafted is None:
        yield "drafted_tokens", UNCOUNTED
    if accepted is None:
        yield "accepted_tokens", UNTOLD
        yield "yielded_tokens", UNTOLD
    if untimed:
        yield "draft_ns", untimed
    if step_ns is None:
        yield "target_step_ns", NO_STEPS
    if step_ns is None or accepted is None or untimed:
        why = NO_STEPS if step_ns is None else UNTOLD if accepted is None else untimed
        yield from ((name, why) for name in ("target_alone_ns", "speedup"))
    if step_ns is None or drafted is None or untimed:
        why = NO_STEPS if step_ns is None else UNCOUNTED if drafted is None else untimed
        yield "break_even_acceptance", why


def _untimed(rounds: Sequence[Round], taken: _Taken) -> str:
    """Why it is unknown what rounds take; "" where it is known."""
    if taken.known:
        return ""
    checks = [one.verify_ns for one in rounds if not one.prompt]
    return PROMPTS if not checks else UNTIMED if None in checks else UNDRAFTED


def _total(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _step_ns(runs: Runs, pairing: Pairing) -> int | None:
    """The median step of the target by itself, busy and idle time."""
    # An engine's rounds say what they drafted where they are of one sequence: so are the steps beside them.
    labels = runs.ranges.labels
    own = runs.whole(int64([row for row in pairing.alone if not labels or labels[row].generation.requests == 1]))
    if len(own) < FEWEST_STEPS:
        return None
    typical: float = median((runs.together_busy_ns[own] + runs.together_idle_ns[own]).tolist())
    return round(typical)

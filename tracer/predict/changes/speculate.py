"""`--speculate`: tokens are drafted by another model, and checked by the target in one pass over all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.document.errors import InputError, UsageError
from tracer.document.names import DECODE, DRAFT, MAP, VERIFY
from tracer.document.summary import PricedLength, PricedSpeculation, StagePrediction
from tracer.document.words import listed
from tracer.predict.speculating.acceptance import break_even, by_position, expected_tokens
from tracer.predict.speculating.prices import Prices, prices_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.summary import Summary
    from tracer.predict.asked import Changes, Speculate
    from tracer.predict.runs import Case

# Lengths of drafts that are priced to find the best.
LONGEST = 16
NOT_OF_A_ROUND = (DECODE, DRAFT, MAP, VERIFY)


def apply(case: Case, changes: Changes) -> list[str]:
    """Make rounds of the decode steps, or rounds of another length of those that there are.

    Raises:
        InputError: what a part of a round takes is unknown, or how many tokens the rounds yielded.
        UsageError: rounds were measured, and another change is to be made of them too.
    """
    asked = changes.speculate
    if asked is None:
        return []
    prices = prices_of(case, asked.draft)
    sequences = _sequences(case.summary)
    shares = [share**sequences for share in asked.acceptance]
    priced = _priced(asked, shares, sequences, prices)
    if prices.told is None:
        _make_rounds(case, priced)
    else:
        _change_rounds(case, priced, prices.scale)
    case.priced.append(priced)
    case.added.extend(_stages_of_draft(asked.draft))
    return [_assumption(asked, sequences, case.summary, priced)]


def _sequences(summary: Summary) -> int:
    """Of a batch; a saved document may say anything."""
    given = (summary.run or {}).get("batch_size")
    return given if isinstance(given, int) and given > 0 else 1


def _priced(asked: Speculate, shares: Sequence[float], sequences: int, prices: Prices) -> PricedSpeculation:
    drafted = asked.drafted
    check_ns, check_source = prices.needed_check(drafted)
    step_ns = prices.step[0] if prices.step else None
    lengths = [
        _length(prices, shares, length, found[0])
        for length in range(1, max(drafted, LONGEST) + 1)
        if (found := prices.check(length)) is not None
    ]
    own = next(one for one in lengths if one.drafted == drafted)
    needed = own.round_ns / step_ns if step_ns else None
    best = max(lengths, key=lambda one: one.tokens / one.round_ns if one.round_ns else 0.0)
    return PricedSpeculation(
        drafted=drafted,
        acceptance=by_position(asked.acceptance, drafted),
        tokens=own.tokens,
        step_ns=step_ns,
        step_source=prices.step[1] if prices.step else "the trace has no steps of the target by itself",
        draft_token_ns=prices.draft[0],
        draft_source=prices.draft[1],
        map_token_ns=prices.mapping[0],
        map_source=prices.mapping[1],
        verify_ns=check_ns,
        verify_source=check_source,
        round_ns=own.round_ns,
        speedup=own.speedup,
        break_even_acceptance=None if needed is None else break_even(drafted, needed, sequences),
        best_drafted=0 if best.speedup is not None and best.speedup <= 1 else best.drafted,
        by_drafted=lengths,
    )


def _length(prices: Prices, shares: Sequence[float], drafted: int, check_ns: float) -> PricedLength:
    tokens, round_ns = expected_tokens(shares, drafted), prices.round_ns(drafted, check_ns)
    step_ns = prices.step[0] if prices.step else None
    return PricedLength(
        drafted=drafted,
        verify_ns=check_ns,
        tokens=tokens,
        round_ns=round_ns,
        speedup=tokens * step_ns / round_ns if step_ns and round_ns else None,
    )


def _make_rounds(case: Case, priced: PricedSpeculation) -> None:
    """In place of the steps of a model that decodes by itself; at least one is left."""
    decode = case.runs[DECODE]
    rounds = max(min(1.0, decode.runs), decode.runs / priced.tokens)
    case.runs[DECODE] = replace(decode, runs=rounds, step_ns=priced.round_ns)


def _change_rounds(case: Case, priced: PricedSpeculation, scale: float) -> None:
    """Of a trace that has some: as many tokens in rounds of another length."""
    told = case.summary.speculation
    if told is None or told.timed_yielded_tokens is None or not told.timed_rounds:
        raise InputError(
            f"{case.path}: --speculate: nothing says how many tokens its rounds yielded, so it is unknown how many "
            "rounds of another length they would be"
        )
    if changed := [stage for stage in NOT_OF_A_ROUND if stage in case.runs and case.changed(stage)]:
        raise UsageError(
            f"--speculate: rounds of {case.path} are priced as they were measured: ask for what else changes "
            f"{listed(changed)} apart"
        )
    fewer = told.timed_yielded_tokens / told.timed_rounds / priced.tokens
    checks = VERIFY if VERIFY in case.runs else DECODE
    parts = {
        DRAFT: priced.drafted * priced.draft_token_ns,
        MAP: priced.drafted * priced.map_token_ns,
        checks: priced.verify_ns,
    }
    for stage, step_ns in parts.items():
        if stage in case.runs:
            # What the trace has is of the trace, profiler and all.
            run = case.runs[stage]
            case.runs[stage] = replace(run, runs=run.runs * fewer, step_ns=step_ns / scale if scale else step_ns)


def _stages_of_draft(draft: Summary | None) -> list[StagePrediction]:
    """What the draft does before it drafts, which nothing of the target's hides where they take turns."""
    if draft is None:
        return []
    return [
        StagePrediction(stage=one.stage, role=DRAFT, now_ns=0, then_ns=round(one.step_ns))
        for one in draft.budget
        if one.stage not in NOT_OF_A_ROUND and one.step_ns is not None
    ]


def _assumption(asked: Speculate, sequences: int, summary: Summary, priced: PricedSpeculation) -> str:
    rates = ",".join(f"{share:g}" for share in asked.acceptance)
    text = (
        f"--speculate {asked.drafted}@{rates}: {priced.tokens:.2f} tokens a round, each drafted one accepted with that "
        "probability if those before it were"
    )
    if len(asked.acceptance) > 1:
        text += ", position by position, the last going on"
    if sequences > 1:
        text += f"; in a round as many as in that of {sequences} sequences which accepts the fewest"
    text += "; a round drafts its tokens one after the other, then checks them in one pass, and nothing overlaps"
    if asked.draft is not None:
        text += "; the draft's own stages come before, once"
        devices = [", ".join(one.name for one in of.trace.devices) for of in (asked.draft, summary)]
        if devices[0] != devices[1]:
            text += f"; the draft was measured on another device ({devices[0] or 'a CPU'})"
    return text

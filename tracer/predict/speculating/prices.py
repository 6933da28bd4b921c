"""What each part of a round takes, and where that is known from."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from tracer.document.errors import InputError
from tracer.document.names import DECODE
from tracer.predict.speculating.passes import Measured, Roof, checked, roof_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.summary import Roofline, RunTime, Speculation, Summary
    from tracer.predict.runs import Case, Run

CLEAN, TRACED = "measured without a profiler", "measured in the trace"
UNMAPPED = "no stage says so: taken for nothing"
NO_DRAFT = (
    "what drafting a token takes is unknown: give a recording of the draft (--draft FILE), or a trace with rounds that "
    "say how many tokens they drafted"
)
NO_CHECK = "what a pass over {positions} tokens takes is unknown: no rounds in it checked so many, and {roof}{instead}"
INSTEAD = "; to measure it, record a sweep of so many drafted tokens (tracer record --sweep k=1:{drafted})"
NO_WORK = "its model's work is not known (tracer record says it of a built-in model, of at least four tokens)"
SWEEP = "the sweep, without a profiler, less drafting"
NO_PEAKS = "the device's peaks are not known: give --peak-tflops and --peak-gbs"


@dataclass(frozen=True, slots=True)
class Prices:
    """Nanoseconds, each with what it is known from.

    Attributes:
        path: of the trace, for messages.
        draft: of drafting a token.
        mapping: of mapping one.
        step: of the target by itself; None where nothing says that.
        told: the rounds of the trace.
        run: the step as the other changes leave it; None likewise.
        scale: what rounds took without a profiler, over what they took in the trace; 1 where the step is the trace's.
        roof: of the target.
        no_roof: why there is none.
        checks: what checks took, as measured, by how many tokens they checked, rising.
    """

    path: str
    draft: tuple[float, str]
    mapping: tuple[float, str]
    step: tuple[float, str] | None
    told: Speculation | None
    run: Run | None
    scale: float
    roof: Roof | None
    no_roof: str
    checks: Sequence[Measured] = ()

    def check(self, drafted: int) -> tuple[float, str] | None:
        """Of checking so many drafted tokens; None where that is unknown."""
        return checked(drafted, self.checks, self.run, self.roof)

    def needed_check(self, drafted: int) -> tuple[float, str]:
        """The same.

        Raises:
            InputError: it is unknown.
        """
        found = self.check(drafted)
        if found is None:
            instead = INSTEAD.format(drafted=drafted) if self.told is not None else ""
            why = NO_CHECK.format(positions=drafted + 1, roof=self.no_roof, instead=instead)
            raise InputError(f"{self.path}: --speculate: {why}")
        return found

    def round_ns(self, drafted: int, check_ns: float) -> float:
        """A whole round."""
        return drafted * (self.draft[0] + self.mapping[0]) + check_ns


def prices_of(case: Case, draft: Summary | None) -> Prices:
    """Of a trace, and of a draft that was recorded by itself.

    Raises:
        InputError: nothing says what drafting takes.
    """
    told, scale = _like_the_step(case.summary.speculation)
    run = None if told is not None else case.needed(DECODE, "--speculate")
    drafting, mapping = _of_draft(draft) if draft is not None else _of_rounds(case, told), _mapping(told)
    pair = case.summary.drafting
    roofline = case.summary.roofline if pair is None or told is None else pair.roofline
    return Prices(
        path=case.path,
        draft=drafting,
        mapping=mapping,
        step=_step(case, told, run),
        told=told,
        run=run,
        scale=scale,
        roof=roof_of(roofline, of_target=pair is not None and told is not None),
        no_roof=_no_roof(roofline),
        checks=_checks(told, case.summary, None if draft is not None else drafting[0] + mapping[0]),
    )


def _checks(told: Speculation | None, summary: Summary, token_ns: float | None) -> list[Measured]:
    """Of the trace's rounds, and before these of a sweep's, whose rounds were measured whole.

    Args:
        told: the trace's rounds, without a profiler where that is known.
        summary: of the trace.
        token_ns: what drafting and mapping a token takes of a sweep's rounds; None where another draft is asked for.
    """
    if told is None:
        return []
    found = {one.drafted: Measured(one.drafted, one.verify_ns, one.rounds) for one in told.checks}
    rows = summary.drafting.sweep if summary.drafting is not None and told.clean_took_ns is not None else []
    for count in {row.drafted for row in rows} if token_ns is not None else ():
        own = [row.measured for row in rows if row.drafted == count and row.measured.round_ns is not None]
        check_ns = median([one.round_ns or 0 for one in own]) - count * (token_ns or 0) if own else 0
        if check_ns > 0:
            found[count] = Measured(count, check_ns, sum(one.whole_rounds for one in own), SWEEP)
    return [found[count] for count in sorted(found)]


def _like_the_step(told: Speculation | None) -> tuple[Speculation | None, float]:
    """The rounds as they would be without a profiler where the target's own step was measured so, and by how much."""
    if told is None or told.clean_took_ns is None or not told.took_ns or told.draft_ns is None:
        return told, 1.0
    scale = told.clean_took_ns / told.took_ns
    rounds = msgspec.structs.replace(
        told,
        draft_ns=round(told.draft_ns * scale),
        map_ns=None if told.map_ns is None else round(told.map_ns * scale),
        checks=[msgspec.structs.replace(one, verify_ns=round(one.verify_ns * scale)) for one in told.checks],
    )
    return rounds, scale


def _no_roof(roofline: Roofline | None) -> str:
    """Why a roofline prices no pass."""
    if roofline is None or roofline.step is None:
        return NO_WORK
    if not roofline.peak_tflops or not roofline.peak_gbs:
        return NO_PEAKS
    row = next((row for row in roofline.stages if row.stage == DECODE), None)
    return row.error if row is not None and row.error else "no step of it decodes by itself"


def _of_draft(draft: Summary) -> tuple[float, str]:
    path = draft.trace.path
    step = next((one for one in draft.budget if one.stage == DECODE), None)
    if step is None or draft.speculation is not None:
        raise InputError(f"{path}: --draft: no recording of one model that decodes by itself")
    if step.step_ns is None:
        raise InputError(f"{path}: --draft: what its steps take is unknown: work was launched and not recorded")
    return step.step_ns, f"a step in {path}, {source_of(step)}"


def source_of(time: RunTime) -> str:
    """How it was measured."""
    return CLEAN if time.clean else TRACED


def _of_rounds(case: Case, told: Speculation | None) -> tuple[float, str]:
    if told is None or told.draft_ns is None or not told.timed_drafted_tokens:
        raise InputError(f"{case.path}: --speculate: {NO_DRAFT}")
    tokens = told.timed_drafted_tokens
    return told.draft_ns / tokens, f"measured, {tokens:,} token{'s' * (tokens > 1)} of the trace"


def _mapping(told: Speculation | None) -> tuple[float, str]:
    if told is None or told.map_ns is None or not told.timed_drafted_tokens:
        return 0.0, UNMAPPED
    return told.map_ns / told.timed_drafted_tokens, TRACED


def _step(case: Case, told: Speculation | None, run: Run | None) -> tuple[float, str] | None:
    if run is not None:
        now = case.measured(DECODE)
        changed = "" if run.step_ns == now.step_ns else ", changed as asked for"
        return run.step_ns, f"{source_of(now)}{changed}"
    step_ns = None if told is None else told.target_step_ns
    if step_ns is None:
        return None
    clean = told is not None and told.clean_took_ns is not None
    return step_ns, f"{CLEAN}; the rounds scaled to it" if clean else TRACED

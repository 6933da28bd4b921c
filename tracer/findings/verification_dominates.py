"""`verification-dominates`: most of a round is the target's check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import duration
from tracer.findings.rule import ALL_STAGES, Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

SHARE = 0.8
FEWEST_ROUNDS = 3

FINDING = Rule(
    id="verification-dominates",
    severity="info",
    rule="at least 3 rounds of speculative decoding spend more than 80 % of their time in the passes that check",
    reason="A faster draft shortens what is left alone. More tokens a check, if they are accepted, pay here.",
    next_step="draft more tokens a round while they are accepted, or make checks cheaper; a faster draft gains little",
    rests_on=ALL_STAGES,
    rank=125,
)


def find(evidence: Evidence) -> Found | None:
    """Which share of the rounds checking takes."""
    told = evidence.speculation
    if told is None or not told.took_ns or told.verify_ns is None or told.timed_rounds < FEWEST_ROUNDS:
        return None
    share = told.verify_ns / told.took_ns
    if share <= SHARE:
        return None
    checks, whole = (duration(time_ns / told.timed_rounds) for time_ns in (told.verify_ns, told.took_ns))
    return Found(
        f"checking takes {share:.0%} of a round of speculative decoding: {checks} of {whole}",
        {"share": share, "rounds": told.timed_rounds, "verify_ns": told.verify_ns, "took_ns": told.took_ns},
    )

"""`speculation-loses`: drafting and checking take longer than the target alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import duration
from tracer.findings.rule import ALL_STAGES, Found, Rule, Saving

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

# Of fewer rounds, or by less, neither is told from chance.
FEWEST_ROUNDS = 3
LOSES = 0.97

FINDING = Rule(
    id="speculation-loses",
    severity="warning",
    rule=(
        "at least 3 rounds of speculative decoding take longer, by more than 3 %, than the target's own median step "
        "for as many tokens"
    ),
    reason=(
        "A round pays by the tokens it yields. Where few drafted tokens are accepted, or drafting and checking cost "
        "much, the target alone is faster. The gain is the difference."
    ),
    next_step="draft fewer tokens a round, use a draft that is accepted more often or costs less, or decode without",
    rests_on=ALL_STAGES,
    rank=35,
)


def find(evidence: Evidence) -> Found | None:
    """How much the rounds lose, and which acceptance would pay."""
    told = evidence.speculation
    if told is None or told.speedup is None or told.timed_rounds < FEWEST_ROUNDS or told.speedup > LOSES:
        return None
    took_ns, alone_ns = told.compared_ns or 0, told.target_alone_ns or 0
    even = told.break_even_acceptance
    needs = (
        "" if even is None else f"; it breaks even at {even:.0%}" if even <= 1 else "; no acceptance makes up for it"
    )
    return Found(
        f"speculative decoding loses: {told.timed_rounds} rounds take {duration(took_ns)}, the target alone would take "
        f"{duration(alone_ns)} for the same tokens ({told.speedup:.2f} x){needs}",
        {
            "speedup": told.speedup,
            "rounds": told.timed_rounds,
            "took_ns": took_ns,
            "target_alone_ns": alone_ns,
            "break_even_acceptance": even,
        },
        Saving(
            took_ns - alone_ns, of_ns=took_ns, of="the rounds in the trace", basis="the target alone", at_most=False
        ),
    )

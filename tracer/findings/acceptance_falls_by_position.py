"""`acceptance-falls-by-position`: of the tokens of a draft the later ones are mostly in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.findings.rule import Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

FEWEST_ROUNDS = 8
FALLS_TO = 0.5

FINDING = Rule(
    id="acceptance-falls-by-position",
    severity="info",
    rule=(
        "of at least 8 rounds that say what they accepted, the last position that they draft is accepted less than "
        "half as often as the first, and no recording was asked to accept so much"
    ),
    reason="A token counts only if all before it were accepted; the last ones cost as much as the first.",
    next_step="draft fewer tokens a round, or stop drafting where the draft itself is unsure",
    rank=132,
)


def _asked_for(evidence: Evidence) -> bool:
    """Whether a recording was told what to accept, so that it says nothing of the draft."""
    said = None if evidence.manifest is None else evidence.manifest.drafting
    return said is not None and bool(said.acceptance)


def find(evidence: Evidence) -> Found | None:
    """From what to what acceptance falls."""
    told = evidence.speculation
    if told is None or told.rounds < FEWEST_ROUNDS or _asked_for(evidence):
        return None
    shares = []
    for place, share in enumerate(told.acceptance_by_position, start=1):
        if sum((one.drafted or 0) >= place for one in told.each) >= FEWEST_ROUNDS:  # fewer say nothing
            shares.append(share)
    if len(shares) < 2 or shares[-1] >= FALLS_TO * shares[0]:
        return None
    best = told.best_drafted
    pays = f"; {best} a round would yield the most in a time" if best is not None and best < len(shares) else ""
    return Found(
        f"acceptance falls from {shares[0]:.0%} at the first drafted token to {shares[-1]:.0%} at number "
        f"{len(shares)}{pays}",
        {"acceptance_by_position": shares, "rounds": told.rounds, "best_drafted": best},
    )

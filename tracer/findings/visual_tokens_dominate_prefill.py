"""`visual-tokens-dominate-prefill`: most of prefill is for pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import PREFILL
from tracer.findings.rule import Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

DOMINANT = 0.5

FINDING = Rule(
    id="visual-tokens-dominate-prefill",
    severity="info",
    rule="without the visual tokens, prefill would have less than half of its operations",
    reason=(
        "Prefill's work grows with its tokens. The gain is that of half of the visual tokens; there is none where the "
        "device mostly waits."
    ),
    next_step="merge or prune visual tokens before the LLM",
    rests_on=PREFILL,
    rank=110,
)


def find(evidence: Evidence) -> Found | None:
    """How much of prefill's work is for visual tokens."""
    token = evidence.roofline.visual_token if evidence.roofline else None
    if token is None or token.prefill_share <= DOMINANT or PREFILL not in evidence.times:
        return None
    busy_ns = evidence.times[PREFILL].busy_ns
    return Found(
        f"{token.count:,} visual tokens are {token.prefill_share:.0%} of prefill's work",
        {"visual_tokens": token.count, "share": token.prefill_share, "prefill_busy_ns": round(busy_ns)},
        evidence.saves(
            evidence.less_busy_ns(PREFILL, token.prefill_share / 2),
            "half of the visual tokens, at the same rate",
            at_most=False,
        ),
    )

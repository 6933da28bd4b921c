"""`kv-growth`: decode steps get slower as the cache grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import duration
from tracer.findings.rule import STEPS, Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

GROWTH = 0.05

FINDING = Rule(
    id="kv-growth",
    severity="info",
    rule=(
        "device time grows with the cache (the 95 % interval of the slope leaves out zero), by more than a "
        "twentieth over the recorded steps, and by no more than the cache itself where its length is known"
    ),
    reason="Each step reads all that is cached, and a cache that is concatenated is copied too.",
    next_step="a static or paged cache, an attention kernel made for one query, fewer cached tokens",
    rests_on=STEPS,
    rank=140,
)


def find(evidence: Evidence) -> Found | None:
    """How much a cached token adds to a step."""
    decoding = evidence.decoding
    if decoding is None or decoding.growth is None or decoding.growth.low_ns <= 0 or decoding.beyond_cache:
        return None
    growth = decoding.growth
    indices = [token.index for token in evidence.tokens]
    span = max(indices) - min(indices)
    grown_ns = growth.ns * span
    if grown_ns <= GROWTH * decoding.device_time_ns:
        return None
    return Found(
        f"decode steps grow by {duration(growth.ns)} per cached token ({duration(growth.low_ns)} to "
        f"{duration(growth.high_ns)}): {grown_ns / decoding.device_time_ns:.0%} of a step over these {span + 1}"
        f"{evidence.of_steps}",
        {"ns_per_token": growth.ns, "low_ns": growth.low_ns, "high_ns": growth.high_ns, "tokens": span},
    )

"""`memory-bound`: a stage is made of the bytes that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import title
from tracer.findings.rule import ROOFLINE, Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

FINDING = Rule(
    id="memory-bound",
    severity="info",
    rule=(
        "reading weights and cache at peak bandwidth takes more than half of the stage's busy time, and busy time "
        "more than half of what a run takes"
    ),
    reason=(
        "Arithmetic is nearly free here; bytes are what costs. The gain is what weights of half the size would "
        "save at the bandwidth that was reached."
    ),
    next_step="move fewer bytes: quantised weights, a batch, speculative decoding, a smaller key/value cache",
    rests_on=ROOFLINE,
    rank=80,
)


def find(evidence: Evidence) -> Found | None:
    """The stage that memory bandwidth limits and that takes the longest."""
    row = evidence.longest_limited_by("memory")
    if row is None or evidence.roofline is None or evidence.roofline.peak_gbs is None:
        return None
    peak_gbs = evidence.roofline.peak_gbs * row.devices
    weights = row.weight_bytes / row.bytes
    return Found(
        f"{title(row.stage)} is bound by memory bandwidth: {row.bytes / 1e9:.2f} GB a run at {row.gbs:,.0f} GB/s, "
        f"{row.gbs / peak_gbs:.0%} of peak",
        {"stage": row.stage, "bytes": row.bytes, "gbs": row.gbs, "peak_gbs": peak_gbs},
        evidence.saves(
            evidence.less_busy_ns(row.stage, weights / 2),
            "weights of half the size at the bandwidth reached",
            at_most=False,
        ),
    )

"""`compute-bound`: a stage is made of its arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import title
from tracer.findings.rule import ROOFLINE, Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

FINDING = Rule(
    id="compute-bound",
    severity="info",
    rule=(
        "the stage's operations at peak take more than half of its busy time, and busy time more than half of "
        "what a run takes"
    ),
    reason="The matrix units are busy; only less arithmetic, or arithmetic in a smaller type, is faster.",
    next_step="compute less: fewer visual tokens, a smaller encoder, 8-bit matrix products",
    rests_on=ROOFLINE,
    rank=90,
)


def find(evidence: Evidence) -> Found | None:
    """The stage that arithmetic limits and that takes the longest."""
    row = evidence.longest_limited_by("compute")
    if row is None or evidence.roofline is None or evidence.roofline.peak_tflops is None:
        return None
    peak_tflops = evidence.roofline.peak_tflops * row.devices
    return Found(
        f"{title(row.stage)} is bound by arithmetic: {_rounded(row.tflops)} TFLOP/s while busy, "
        f"{row.tflops / peak_tflops:.0%} of peak",
        {"stage": row.stage, "tflops": row.tflops, "peak_tflops": peak_tflops},
    )


def _rounded(tflops: float) -> str:
    return f"{tflops:,.0f}" if tflops >= 10 else f"{tflops:.2g}"

"""`clock-or-thermal-drift`: the device itself gets slower, or faster, from request to request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.findings.rule import STEPS, Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

CHANGE = 0.03

FINDING = Rule(
    id="clock-or-thermal-drift",
    severity="warning",
    rule=(
        "the same decode steps take ever longer, or ever shorter, on the device from request to request: the 95 % "
        "interval of the slope leaves out zero, and the change is more than 3 %"
    ),
    reason="The work is the same, so the device's clock is not: power, heat, or another user of the device.",
    next_step="lock the clocks (nvidia-smi -lgc) or let the device warm up before measuring",
    rests_on=STEPS,
    rank=170,
)


def find(evidence: Evidence) -> Found | None:
    """How much the same steps change over the requests."""
    decoding = evidence.decoding
    if decoding is None or decoding.drift is None or not evidence.on_gpu:
        return None
    slope = decoding.drift
    steps_ns = decoding.device_time_ns * decoding.steps / decoding.requests
    change = slope.ns * (decoding.requests - 1) / steps_ns if steps_ns else 0.0
    if not (slope.low_ns > 0 or slope.high_ns < 0) or abs(change) <= CHANGE:
        return None
    return Found(
        f"the same decode steps changed by {change:+.1%} on the device over {decoding.requests} requests",
        {"change": change, "ns_per_request": slope.ns, "low_ns": slope.low_ns, "high_ns": slope.high_ns},
    )

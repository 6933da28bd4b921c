"""`low-coverage`: the stages leave out much of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.findings.rule import Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

MISSED = 0.05

FINDING = Rule(
    id="low-coverage",
    severity="warning",
    rule="more than a twentieth of the device time belongs to no stage, although there are stages",
    reason="Shares of stages then miss something.",
    next_step="widen the ranges, or let the profiler start before the work",
    rank=30,
)


def find(evidence: Evidence) -> Found | None:
    """How much of the time belongs to no stage, and the main reason."""
    device = evidence.device
    # Of what repetition does not tell nobody has to widen a range.
    if not evidence.stages or device.time_ns == 0 or evidence.ranges.confidence is not None:
        return None
    share = device.unattributed.time_ns / device.time_ns
    if share <= MISSED:
        return None
    reasons = {name: reason.time_ns for name, reason in device.unattributed.reasons.items() if reason.time_ns}
    main = max(reasons, key=lambda name: reasons[name])
    message = f"{share:.1%} of the {evidence.kind} time belongs to no stage; main reason: {main.replace('_', ' ')}"
    return Found(message, {"share": share, **reasons})

"""`low-coverage`: the stages leave out much of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.findings.rule import ALL_STAGES, Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

MISSED = 0.05

FINDING = Rule(
    id="low-coverage",
    severity="warning",
    rule="more than a twentieth of the device time belongs to no stage, although there are stages",
    reason="Shares of stages then miss something.",
    next_step="widen the ranges, or let the profiler start before the work",
    rests_on=ALL_STAGES,
    rank=30,
)


def find(evidence: Evidence) -> Found | None:
    """How much of the time belongs to no stage, and the main reason."""
    device = evidence.device
    if not evidence.stages or not device.time_ns:
        return None
    if evidence.on_gpu and not len(evidence.trace.calls):
        return None  # nothing was launched as far as the file tells: no other range would hold more
    share = device.unattributed.time_ns / device.time_ns
    if share <= MISSED:
        return None
    reasons = {name: reason.time_ns for name, reason in device.unattributed.reasons.items() if reason.time_ns}
    main = max(reasons, key=lambda name: reasons[name])
    message = f"{share:.1%} of the {evidence.kind} time belongs to no stage; main reason: {main.replace('_', ' ')}"
    return Found(message, {"share": share, **reasons})

"""`bottleneck-stage`: where most of the time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import VISION
from tracer.document.words import times, title
from tracer.findings.rule import Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

FINDING = Rule(
    id="bottleneck-stage",
    severity="info",
    rule="the stage with the most device time",
    reason="Work elsewhere cannot gain more than the other stages' share.",
    next_step="look at this stage first",
    leads=True,
    rank=10,
)


def find(evidence: Evidence) -> Found | None:
    """The stage with the most device time, and how far ahead of vision, or else of the next one, it is."""
    if len(evidence.stages) < 2 or not any(stage.device_time_ns for stage in evidence.stages):
        return None
    first, second = sorted(evidence.stages, key=lambda stage: -stage.device_time_ns)[:2]
    share = first.device_time_ns / evidence.device.time_ns
    message = f"{title(first.stage)} takes {share * 100:.1f} % of {evidence.kind} time"
    vision = evidence.stage(VISION)
    other = vision if vision is not None and vision.stage != first.stage else second
    if other.device_time_ns:
        message += f": {times(first.device_time_ns / other.device_time_ns)} {other.stage}"
    figures = {
        "stage": first.stage,
        "device_time_ns": first.device_time_ns,
        "share": share,
        "next": second.stage,
        "next_device_time_ns": second.device_time_ns,
    }
    return Found(message, figures)

"""`host-to-device-copies-in-decode`: every decode step copies something to the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import DECODE
from tracer.findings.engines import CHOSEN
from tracer.findings.evidence import median
from tracer.findings.rule import STEPS, Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

FEWEST_STEPS = 3
PIN = "or copy them from pinned memory (tensor.pin_memory()) with non_blocking=True: from other memory the call waits"

FINDING = Rule(
    id="host-to-device-copies-in-decode",
    severity="warning",
    rule="the median decode step copies from the host to the device; of a serving engine no warning, as each does so",
    reason="What a step needs could have been on the device already; each copy is a launch and maybe a wait.",
    next_step="keep masks, positions and token ids on the device",
    rests_on=STEPS,
    rank=130,
)


def find(evidence: Evidence) -> Found | None:
    """How much the median step copies."""
    from tracer.measure.host_copies import unpinned_to_device

    copied = [token.counts.to_device_bytes or 0 for token in evidence.tokens]
    if len(copied) < FEWEST_STEPS or not (typical := median(copied)):
        return None
    stage = evidence.stage(DECODE)
    unpinned = stage is not None and unpinned_to_device(stage.kernels)
    return Found(
        f"each decode step copies {typical:,.0f} bytes from the host to the device{evidence.of_steps}"
        + (", of memory that is not pinned" if unpinned else ""),
        {"bytes_per_step": typical, "bytes": sum(copied), "steps": len(copied)},
        severity="info" if evidence.ranges.engine else None,
        instead=CHOSEN if evidence.ranges.engine else None,
        also=PIN if unpinned and not evidence.ranges.engine else None,
    )

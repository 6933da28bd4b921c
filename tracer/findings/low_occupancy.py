"""`low-occupancy`: decoding's device time is in kernels that leave most of the device empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import DECODE
from tracer.document.words import counted, title
from tracer.findings.rule import Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

# Of decoding's device time, and of peak bandwidth: decoding that reads at this pace has no use for more blocks.
SHARE, NEAR_PEAK = 0.25, 0.6

FINDING = Rule(
    id="low-occupancy",
    severity="info",
    rule=(
        "kernels of at least 5 us whose blocks fill at most half of the device's multiprocessors take more than a "
        "quarter of decoding's device time, decoding does not mostly wait for its host, and reads at less than 60 % of "
        "peak bandwidth where that is known; not collectives and copies, which take few blocks on purpose"
    ),
    reason=(
        "A block runs on one multiprocessor: a kernel of fewer blocks than there are leaves the others empty, and "
        "with them their share of bandwidth. The gain is what these kernels would take less if all were filled and "
        "each worked as fast as those do now: an upper bound."
    ),
    next_step=(
        "split the work further: split-K products, attention that splits its keys (flash-decoding), a batch, or "
        "another library's kernel for this shape"
    ),
    rests_on=DECODE,
    rank=105,
)


def find(evidence: Evidence) -> Found | None:
    """Decoding alone: one token's work is what may be too small for a device."""
    time = evidence.times.get(DECODE)
    if not evidence.on_gpu or time is None or 2 * time.busy_ns < time.step_ns or _near_peak(evidence):
        return None
    found = evidence.few_blocks
    if found is None or found.time_ns <= SHARE * found.of_ns:
        return None
    share = found.time_ns / found.of_ns
    return Found(
        f"{title(DECODE)} spends {share:.0%} of its device time in kernels of few blocks, which leave "
        f"{found.empty:.0%} of {counted(found.multiprocessors, 'multiprocessor')} empty",
        {
            "time_ns": found.time_ns,
            "share": share,
            "empty": found.empty,
            "multiprocessors": found.multiprocessors,
            "kernels": [{"name": name, "time_ns": ns, "blocks": blocks} for name, ns, blocks in found.kernels],
        },
        evidence.saves(
            evidence.less_busy_ns(DECODE, share * found.empty), "these kernels on all multiprocessors; at most"
        ),
    )


def _near_peak(evidence: Evidence) -> bool:
    """Whether decoding reads, while busy, about as fast as the device can."""
    roofline = evidence.roofline
    row = None if roofline is None else next((one for one in roofline.stages if one.stage == DECODE), None)
    if roofline is None or row is None or roofline.peak_gbs is None or row.error:
        return False
    return row.gbs >= NEAR_PEAK * roofline.peak_gbs * row.devices

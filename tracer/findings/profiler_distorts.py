"""`profiler-distorts`: a stage is slower while it is being recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.findings.rule import Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

DISTORTS = 1.1
# On a CPU whatever else the machine does slows one recorded request as much as a profiler would.
FEWEST_ON_CPU = 3

FINDING = Rule(
    id="profiler-distorts",
    severity="warning",
    rule=(
        "a stage takes more than 1.1 times as long under the profiler, and more than twice as far above the median of "
        "the requests without it as the slowest of these, of which there are three or more; on a CPU of three recorded "
        "requests or more"
    ),
    reason="The profiler slows the host; kernel times hold, gaps between kernels do not.",
    next_step="read latencies from the pass without a profiler, and idle times with care",
    rank=40,
)


def find(evidence: Evidence) -> Found | None:
    """The stages that the profiler slowed; the worst is named."""
    if evidence.latency is None or evidence.manifest is None:
        return None
    if not evidence.on_gpu and len(evidence.manifest.profiled) < FEWEST_ON_CPU:
        return None
    slowed = {stage: ratio for stage, ratio in evidence.latency.distortion.items() if ratio > DISTORTS}
    slowed = {stage: ratio for stage, ratio in slowed.items() if stage in evidence.beyond_noise}
    if not slowed:
        return None
    worst = max(slowed, key=lambda stage: slowed[stage])
    return Found(
        f"the profiler made {worst} {slowed[worst]:.2f} times slower", {"ratios": {worst: slowed[worst], **slowed}}
    )

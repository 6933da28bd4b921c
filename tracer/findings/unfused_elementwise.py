"""`unfused-elementwise`: many small kernels, one operation each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import listed, title
from tracer.findings.engines import COMPILE
from tracer.findings.rule import EACH_STAGE, Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

SHARE = 0.2
FEWEST = 10

FINDING = Rule(
    id="unfused-elementwise",
    severity="warning",
    rule="PyTorch's own elementwise and copying kernels take more than a fifth of a stage's device time",
    reason=(
        "Each of them reads and writes memory for one small operation. The gain is their whole time: what fusing "
        "all of them into their neighbours would save at most; where a stage has nothing else, one of them a run "
        "remains. There is none where the device mostly waits."
    ),
    next_step="fuse them: torch.compile, or fused norm, rotary and activation kernels; a static cache copies less",
    rests_on=EACH_STAGE,
    rank=100,
)


def find(evidence: Evidence) -> Found | None:
    """The stages with much of them; the one with the most time in them is named first."""
    if not evidence.on_gpu:
        return None
    found = {}
    for stage in evidence.stages:
        small = evidence.unfused[stage.stage]
        if small.count >= FEWEST and small.time_ns > SHARE * stage.device_time_ns:
            found[stage.stage] = {
                "time_ns": small.time_ns,
                "count": small.count,
                "per_run_ns": small.time_ns / stage.runs,
                "share": small.time_ns / stage.device_time_ns,
            }
    if not found:
        return None
    worst = max(found, key=lambda name: found[name]["time_ns"])
    others = [title(name) for name in found if name != worst]
    message = (
        f"{title(worst)} spends {found[worst]['share']:.0%} of its device time in {found[worst]['count']:,} unfused "
        "elementwise and copying kernels"
    )
    return Found(
        message + (f" ({listed(others)} too)" if others else ""),
        {"stages": {worst: found[worst], **found}},
        evidence.saves(
            sum(evidence.less_busy_ns(name, _saved(evidence, name) * row["share"]) for name, row in found.items()),
            "their whole time, in stages that do not mostly wait for their host; of a stage that has nothing else, all "
            "but one kernel a run; at most",
        ),
        instead=COMPILE if evidence.ranges.engine else None,
    )


def _saved(evidence: Evidence, name: str) -> float:
    """The share of their time that fusing saves at most: without neighbours that they go into, a kernel remains."""
    small, stage = evidence.unfused[name], evidence.stage(name)
    if stage is None or small.time_ns < stage.device_time_ns:
        return 1.0
    return max(0.0, 1 - stage.runs * small.shortest_ns / small.time_ns)

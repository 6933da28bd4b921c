"""`collective-waits`: most of a stage is collectives, and one rank's trace cannot say whether they wait or transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import title
from tracer.findings.rule import EACH_STAGE, Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

MOST = 0.5
COLLECTIVE = "collective"

FINDING = Rule(
    id="collective-waits",
    severity="warning",
    rule="more than half of a stage's device time is collectives, and the work is one device's",
    reason=(
        "A collective ends when the last rank has come and the data has moved. Beside the other ranks' traces both can "
        "be told apart; in one of them a rank that waits for another looks like one with a slow link."
    ),
    next_step="tracer ranks FOLDER, with the traces of all ranks: it says what is waiting, for whom, and why",
    rests_on=EACH_STAGE,
    rank=25,
)


def find(evidence: Evidence) -> Found | None:
    """The stages that are mostly collectives."""
    if not evidence.on_gpu or len(evidence.device.each) != 1:
        return None
    shares = {
        stage.stage: stage.categories.get(COLLECTIVE, 0) / stage.device_time_ns
        for stage in evidence.stages
        if stage.device_time_ns
    }
    most = {name: share for name, share in shares.items() if share > MOST}
    if not most:
        return None
    said = " and ".join(f"{share:.0%} of {title(name)}'s device time" for name, share in most.items())
    return Found(
        f"{said} is collectives; whether they wait for another rank or transfer, only the other ranks' traces tell",
        {"stages": most},
    )

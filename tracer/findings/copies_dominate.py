"""`copies-dominate`: the device mostly copies from the host and to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import LOAD, PREPROCESS
from tracer.document.words import counted, duration, title
from tracer.findings.engines import KEEP
from tracer.findings.rule import EACH_STAGE, Found, Rule, Unanswered

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence
    from tracer.measure.host_copies import HostCopies

SHARE = 0.5
# What these put on the device has to come there.
ON_HOST = (LOAD, PREPROCESS)
PIN = (
    "pin the host's side (tensor.pin_memory(), DataLoader(pin_memory=True)) and copy with non_blocking=True, so that "
    "copies run at the link's pace and beside other work; or copy less"
)

FINDING = Rule(
    id="copies-dominate",
    severity="warning",
    rule=(
        "copies between the host and the device take more than half of a stage's device time, or of all where there "
        "are no stages; not of load and preprocess, whose work it is"
    ),
    reason=(
        "The link to the host is tens of times slower than the device's own memory, and what is not pinned is copied "
        "twice, while the host waits. The gain is the copies' whole time at most; none where the device mostly waits."
    ),
    next_step=(
        "keep on the device what is used again (weights that are kept on the host are copied for each use), or copy "
        "beside other work: pinned memory, non_blocking=True, a stream of its own"
    ),
    rests_on=EACH_STAGE,
    rank=112,
)


def find(evidence: Evidence) -> Found | Unanswered | None:
    """The stage with most time in such copies; of a trace without stages whether they are most of it."""
    if not evidence.on_gpu:
        return None
    if not evidence.stages:
        return _of_all(evidence)
    found = {
        stage.stage: evidence.host_copies[stage.stage]
        for stage in evidence.stages
        if stage.stage not in ON_HOST and evidence.host_copies[stage.stage].time_ns > SHARE * stage.device_time_ns
    }
    worst = max(found, key=lambda name: found[name].time_ns, default=None)
    stage = None if worst is None else evidence.stage(worst)
    if stage is None:
        return None
    share = found[stage.stage].time_ns / stage.device_time_ns
    return Found(
        f"{share:.0%} of {title(stage.stage)}'s device time is {_said(found[stage.stage])}",
        {"stage": stage.stage, **_figures(found[stage.stage], share)},
        evidence.saves(evidence.less_busy_ns(stage.stage, share), "the copies' whole time; at most"),
        instead=KEEP if evidence.ranges.engine else _instead(found[stage.stage]),
    )


def _of_all(evidence: Evidence) -> Found | Unanswered | None:
    copies, of_ns = evidence.host_copies[""], evidence.device.time_ns
    if copies.time_ns <= SHARE * of_ns:
        return None
    if evidence.lost is not None:  # what was not recorded may have been anything
        return Unanswered(evidence.lost.reason, evidence.lost.next_step)
    share = copies.time_ns / of_ns
    return Found(
        f"{share:.0%} of the device time is {_said(copies)}",
        {"stage": None, **_figures(copies, share)},
        instead=_instead(copies),
    )


def _said(copies: HostCopies) -> str:
    whole = "" if copies.pageable_ns == copies.time_ns else f"{duration(copies.pageable_ns)} of it "
    unpinned = f", {whole}of memory that is not pinned" if copies.pageable_ns else ""
    return f"{counted(copies.count, 'copy', 'copies')} between host and device, {duration(copies.time_ns)}{unpinned}"


def _figures(copies: HostCopies, share: float) -> dict[str, float]:
    return {"share": share, "count": copies.count, "time_ns": copies.time_ns, "pageable_ns": copies.pageable_ns}


def _instead(copies: HostCopies) -> str | None:
    return PIN if 2 * copies.pageable_ns > copies.time_ns else None

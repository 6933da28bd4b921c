"""`copies-dominate`: the device mostly copies from the host and to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import LOAD, PREPROCESS
from tracer.document.words import counted, duration, whose
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
    from tracer.measure.host_copies import host_copies

    of_ns = {name: time_ns for name, (_, time_ns) in evidence.kernels.items() if name not in ON_HOST}
    copies = {name: host_copies(evidence.kernels[name][0]) for name in of_ns}
    most = [name for name in of_ns if copies[name].time_ns > SHARE * of_ns[name]]
    worst = max(most, key=lambda name: copies[name].time_ns, default=None)
    if worst is None:
        return None
    if not worst and evidence.lost is not None:  # what was not recorded may have been anything
        return Unanswered(evidence.lost.reason, evidence.lost.next_step)
    found, share = copies[worst], copies[worst].time_ns / of_ns[worst]
    return Found(
        f"{share:.0%} of {whose(worst)} device time is {_said(found)}",
        {
            "stage": worst or None, "share": share, "count": found.count, "time_ns": found.time_ns,
            "pageable_ns": found.pageable_ns,
        },
        evidence.saves(evidence.less_busy_ns(worst, share), "the copies' whole time; at most") if worst else None,
        instead=KEEP if evidence.ranges.engine else PIN if 2 * found.pageable_ns > found.time_ns else None,
    )  # fmt: skip


def _said(copies: HostCopies) -> str:
    whole = "" if copies.pageable_ns == copies.time_ns else f"{duration(copies.pageable_ns)} of it "
    unpinned = f", {whole}of memory that is not pinned" if copies.pageable_ns else ""
    return f"{counted(copies.count, 'copy', 'copies')} between host and device, {duration(copies.time_ns)}{unpinned}"

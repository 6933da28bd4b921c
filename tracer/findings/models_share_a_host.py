"""`models-share-a-host`: one of several models at once is slow because its host is, not the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import duration, times
from tracer.findings.rule import ALL_STAGES, Found, Rule, Saving

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

SLOWDOWN = 1.2

FINDING = Rule(
    id="models-share-a-host",
    severity="warning",
    rule=(
        "beside others a model takes more than 1.2 times what it takes in a trace of its own, and more than half of "
        "what it loses is time in which its next op was not asked for"
    ),
    reason=(
        "Threads of one process share one Python interpreter, in which one runs at a time: each waits for the other "
        "between launches, while the device idles. Streams do not help."
    ),
    next_step="run each model in a process of its own, or have its host ask less: CUDA graphs for the small one",
    rests_on=ALL_STAGES,
    rank=33,
)


def find(evidence: Evidence) -> Found | None:
    """The model that loses the most by its host."""
    told = evidence.joint
    slow = (
        []
        if told is None
        else [role for role in told.roles if role.cause == "host" and (role.slowdown or 0) > SLOWDOWN]
    )
    worst = max(slow, key=lambda role: role.lost_ns or 0, default=None)
    if told is None or worst is None or worst.alone is None or worst.lost is None or worst.slowdown is None:
        return None
    host_ns, lost_ns = worst.lost["host"], worst.lost_ns or 0
    where = (
        f"; all are threads of one process ({worst.threads[0].process}), which share one interpreter"
        if told.one_process
        else ""
    )
    return Found(
        f"{worst.role} takes {duration(worst.wall_ns)} beside the others, {times(worst.slowdown)} its "
        f"{duration(worst.alone.wall_ns)} alone, by its host and not by the device: in {duration(host_ns)} of "
        f"{duration(lost_ns)} its next op was not asked for, and its kernels took {duration(worst.device_time_ns)} "
        f"({duration(worst.alone.device_time_ns)} alone){where}",
        {
            "role": worst.role,
            "wall_ns": worst.wall_ns,
            "alone_ns": worst.alone.wall_ns,
            "slowdown": worst.slowdown,
            "lost_ns": dict(worst.lost),
            "one_process": told.one_process,
        },
        Saving(
            max(0, min(host_ns, worst.wall_ns)),
            of_ns=worst.wall_ns,
            of=f"{worst.role} in the trace",
            basis="its host's part",
        ),
    )

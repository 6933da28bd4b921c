"""`same-stream-overlap`: ops run at once on a stream, which should run one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import counted, duration
from tracer.findings.rule import Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

# A kernel that another one lets in early runs beside it for microseconds.
LATE_NS = 1_000_000
WORTH_SAYING = 0.001
# So many calls on one thread at once, and such a share, are no slip of a clock.
FEWEST_CALLS, LEAST_SHARE = 3, 0.01
APART = "summarise the ranks' own traces, or join them with tracer annotate --merge, which keeps them apart"

FINDING = Rule(
    id="same-stream-overlap",
    severity="warning",
    rule="ops overlap others on their own stream, late or for more than a thousandth of the device time",
    reason=(
        "A stream runs its ops in order: overlaps are dependent launches, or ends that were stamped late. Where calls "
        "of one thread overlap as well, traces of several processes were joined under one number."
    ),
    next_step="nothing for dependent launches; tracer summarize --clip-overlaps for late stamps",
    rank=50,
)


def find(evidence: Evidence) -> Found | None:
    """Ops overlap on their own stream: honestly (dependent launch), or because ends were stamped late."""
    overlaps = evidence.overlaps
    late = overlaps.longest_ns >= LATE_NS or overlaps.swallowed * 2 > overlaps.ops
    if not overlaps.ops or (not late and overlaps.time_ns < WORTH_SAYING * evidence.device.time_ns):
        return None
    several = counted(overlaps.ops, "op overlaps others on its own stream", "ops overlap others on their own stream")
    message = f"{several}, {duration(overlaps.time_ns)} in all"
    if tangled := _tangled(evidence):
        message += (
            f": so do {tangled:,} calls on their own thread, as no thread's can. Several processes were written under "
            "one number; busy and idle time, and which step asked for what, are not to be believed"
        )
    elif late:
        message += (
            f", {overlaps.swallowed:,} of them wholly inside another: ends stamped late, as ROCm's tracer "
            "does, so device time counts them twice; tracer summarize --clip-overlaps cuts each op at the start of the "
            "next"
        )
    else:
        message += ": dependent launch, where a kernel begins while the one before drains"
    figures = {
        "cause": "joined-processes" if tangled else "late-end" if late else "dependent-launch",
        "ops": overlaps.ops,
        "swallowed": overlaps.swallowed,
        "overlap_ns": overlaps.time_ns,
        "longest_ns": overlaps.longest_ns,
    }
    if tangled:
        return Found(message, figures, severity="error", instead=APART)
    return Found(message, figures, severity="warning" if late else "info")


def _tangled(evidence: Evidence) -> int:
    """How many calls run at once on one thread; 0 of few."""
    from tracer.charge.tangled import tangled_calls

    calls = tangled_calls(evidence.trace)
    return calls if calls >= max(FEWEST_CALLS, LEAST_SHARE * len(evidence.trace.calls)) else 0

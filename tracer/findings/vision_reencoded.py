"""`vision-reencoded`: the language model encodes the pictures again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.words import LLM_STAGES, counted, duration, listed
from tracer.findings.rule import Found, Rule, Saving

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

FINDING = Rule(
    id="vision-reencoded",
    severity="error",
    rule="the vision encoder runs, or its range is open, inside prefill or decode",
    reason=(
        "The LLM stage was given pictures and encodes them again, so a vision time measured apart counts work that "
        "is thrown away. The gain is the device time of the work launched inside these runs."
    ),
    next_step="encode once and pass event_features to generate",
    rank=20,
)


def find(evidence: Evidence) -> Found | None:
    """Runs of the vision encoder, or its ranges, inside prefill or decode."""
    runs = evidence.encoders
    inside = [number for number, stage in enumerate(runs.stage) if stage in LLM_STAGES]
    if not inside:
        return None
    where = sorted({runs.stage[number] for number in inside})
    ran = f"the vision encoder ran {counted(len(inside), 'time')} inside {listed(where)}"
    again = "the LLM stage was given pictures, so a vision time measured apart counts work that is done again"
    if set(where) & evidence.unknown:  # that it ran is in its ranges; for how long would be in what was lost
        return Found(f"{ran}: {again}", {"runs": len(inside), "stages": where, "device_time_ns": None})
    time_ns = sum(runs.time_ns[number] for number in inside)
    message = f"{ran} ({duration(time_ns)} of {evidence.kind} time): {again}"
    gain = Saving(
        time_ns=time_ns,
        of_ns=evidence.device.time_ns,
        of=f"the trace's {evidence.kind} time",
        basis=f"the {evidence.kind} time launched inside these runs",
    )
    return Found(message, {"runs": len(inside), "stages": where, "device_time_ns": time_ns}, gain)

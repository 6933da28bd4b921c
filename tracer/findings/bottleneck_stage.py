"""`bottleneck-stage`: where most of the time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import VISION
from tracer.document.words import runs_of, times, title
from tracer.findings.rule import ALL_STAGES, Found, Rule, Unanswered

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

# Of two stages that take as long, which one takes more changes from run to run, and neither bounds what can be gained.
AHEAD = 1.05

FINDING = Rule(
    id="bottleneck-stage",
    severity="info",
    rule=(
        "a stage has more device time than any other, by a twentieth at least; of a stage that was recorded in part, "
        "as a window of decode steps, the rest is taken to be like it; on a CPU only where it takes longest without a "
        "profiler too"
    ),
    reason="Work elsewhere cannot gain more than the other stages' share.",
    next_step="look at this stage first",
    rests_on=ALL_STAGES,
    leads=True,
    rank=10,
)


def find(evidence: Evidence) -> Found | Unanswered | None:
    """The stage with the most device time, and how far ahead of vision, or else of the next one, it is."""
    if not any(stage.device_time_ns for stage in evidence.stages):
        return None
    for part in evidence.coverage:
        if not part.recorded_runs:
            return Unanswered(
                f"none of {part.of_runs:,} {runs_of(part.stage)} was recorded, and nothing tells how long they are",
                "record some of them (tracer record --decode-window)",
            )
    if len(evidence.stages) < 2:
        return None
    first, second = sorted(evidence.stages, key=lambda stage: -stage.whole_time_ns)[:2]
    whole_ns = sum(stage.whole_time_ns for stage in evidence.stages) + evidence.device.unattributed.time_ns
    if not evidence.on_gpu and not _longest_without_profiler(evidence, first.stage):
        return None
    if first.whole_time_ns < AHEAD * second.whole_time_ns:
        return None
    share = first.whole_time_ns / whole_ns
    message = f"{title(first.stage)} takes {share * 100:.1f} % of {evidence.kind} time"
    vision = evidence.stage(VISION)
    other = vision if vision is not None and vision.stage != first.stage else second
    if other.whole_time_ns:
        message += f": {times(first.whole_time_ns / other.whole_time_ns)} {other.stage}"
    for part in evidence.coverage:
        recorded = f"{part.recorded_runs:,} of {part.of_runs:,} {runs_of(part.stage)} recorded"
        message += f" ({recorded}, the others taken to be alike)"
    figures = {
        "stage": first.stage,
        "device_time_ns": first.whole_time_ns,
        "share": share,
        "next": second.stage,
        "next_device_time_ns": second.whole_time_ns,
    }
    return Found(message, figures)


def _longest_without_profiler(evidence: Evidence, stage: str) -> bool:
    """Whether no other stage of the trace takes longer in the requests without one, as far as there are any.

    A CPU does other things too: of a single recorded request they may be most of a stage.
    """
    clean = evidence.latency.stages_ns if evidence.latency is not None else {}
    return all(clean.get(other.stage, 0) <= clean.get(stage, 0) for other in evidence.stages)

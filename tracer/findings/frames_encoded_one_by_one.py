"""`frames-encoded-one-by-one`: the encoder is called for each frame, and the device waits for the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import ALL_STAGES, VISION
from tracer.document.words import duration, listed
from tracer.findings.rule import Found, Rule, Unanswered

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

FEWEST_FRAMES = 2

FINDING = Rule(
    id="frames-encoded-one-by-one",
    severity="warning",
    rule="a vision stage runs its encoder several times, and idles for more than it is busy",
    reason=(
        "The same kernels are launched once for every frame. In one batch the host launches them once: the "
        "estimate divides what the host takes by the frames and keeps the busy time."
    ),
    next_step="encode all frames in one call (tracer record --batch-frames)",
    rests_on=VISION,
    rank=70,
)


def find(evidence: Evidence) -> Found | Unanswered | None:
    """Several runs of the encoder in one vision stage that mostly waits."""
    vision = evidence.stage(VISION)
    if vision is None or not evidence.on_gpu:
        return None
    frames = evidence.encoders.stage.count(VISION) / vision.runs
    time = evidence.times[VISION]
    if frames < FEWEST_FRAMES or time.waiting_ns <= time.busy_ns:
        return None
    if len(models := _models(evidence)) > 1:
        return Unanswered(
            f"{listed(models)} encode their own frames in the vision stage, each in its own way",
            "record each model by itself",
        )
    batched_ns = max(time.busy_ns, time.step_ns / frames)
    return Found(
        f"vision encodes {frames:.0f} frames one by one: {duration(time.step_ns)}, of which the device is busy "
        f"{duration(time.busy_ns)}",
        {"frames": frames, "step_ns": round(time.step_ns), "busy_ns": round(time.busy_ns)},
        evidence.saves(
            (time.step_ns - batched_ns) * time.runs,
            "one batch: the host's time divided by the frames, but no less than the busy time",
            at_most=False,
        ),
    )


def _models(evidence: Evidence) -> list[str]:
    """Whose vision stages there are, where ranges say that."""
    ranges = evidence.ranges
    stages = zip(ranges.roles, ranges.stage.tolist(), strict=True) if ranges.roles else ()
    return sorted({role for role, stage in stages if ALL_STAGES[stage] == VISION})

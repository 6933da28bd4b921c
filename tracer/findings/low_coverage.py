"""`low-coverage`: the stages leave out much of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.findings.rule import RECORDED, Found, Rule

if TYPE_CHECKING:
    from tracer.findings.evidence import Evidence

MISSED = 0.05

# The ranges of serving engines are not a person's to widen.
OF_ENGINES = {
    "outside_ranges": (
        "--by kernel says what runs outside the engine's labelled steps, as what a draft model replays from graphs, "
        "steps of other modes and those that only keep other ranks company do; --all-ranges has every label"
    ),
    "other_thread": "--any-thread gives what other threads launch to the step open at the time",
}
OF_OWN = {
    "no_launch_record": "let the profiler start before the work",
    "other_thread": (
        "open the ranges in the thread that launches, and start the profiler there; --any-thread gives what other "
        "threads launch to the stage open at the time"
    ),
}
# Stages that frames or modules tell have no ranges that anybody could widen.
OF_FRAMES = {
    "outside_ranges": "what runs outside generate and the model's modules is no stage's: mark it with tracer.stage() "
    "in the program, if it counts",
}

FINDING = Rule(
    id="low-coverage",
    severity="warning",
    rule="more than a twentieth of the device time belongs to no stage, although there are stages",
    reason="Shares of stages then miss something.",
    next_step="widen the ranges, or let the profiler start before the work",
    rests_on=RECORDED,
    rank=30,
)


def find(evidence: Evidence) -> Found | None:
    """How much of the time belongs to no stage, and the main reason."""
    device = evidence.device
    # Of what repetition does not tell nobody has to widen a range.
    if not len(evidence.ranges) or not device.time_ns or evidence.ranges.confidence is not None:
        return None
    if evidence.trace.part is not None:
        return None  # what ran beside a part is in stages of the whole
    if evidence.on_gpu and not len(evidence.trace.calls):
        return None  # nothing was launched as far as the file tells: no other range would hold more
    share = device.unattributed.time_ns / device.time_ns
    if share <= MISSED:
        return None
    reasons = {name: reason.time_ns for name, reason in device.unattributed.reasons.items() if reason.time_ns}
    main = max(reasons, key=lambda name: reasons[name])
    message = f"{share:.1%} of the {evidence.kind} time belongs to no stage; main reason: {main.replace('_', ' ')}"
    if main == "no_launch_record" and evidence.untold is not None:
        return Found(message, {"share": share, **reasons}, instead=evidence.untold.next_step)
    instead = OF_ENGINES.get(main) if evidence.ranges.engine else OF_OWN.get(main)
    if evidence.ranges.markers in ("generation", "modules"):
        instead = OF_FRAMES.get(main, instead)
    return Found(message, {"share": share, **reasons}, instead=instead)

"""What is worth knowing about a run. Each rule is a function; silent where the trace cannot support it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES
from tracer.document.summary import Gain
from tracer.document.words import LLM_STAGES, duration, times, title
from tracer.findings.evidence import Evidence, finding
from tracer.findings.of_decode import DECODE_RULES
from tracer.findings.of_stages import STAGE_RULES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.document.summary import Finding

LOW_COVERAGE = 0.05
DISTORTS = 1.1
# A kernel that another one lets in early runs beside it for microseconds.
LATE_NS = 1_000_000
OVERLAP_WORTH_SAYING = 0.001


def find(evidence: Evidence) -> list[Finding]:
    """Apply every rule: what is wrong first, then what would gain most."""
    found = [one for rule in RULES if (one := rule(evidence)) is not None]
    return sorted(found, key=lambda one: (one.severity != "error", one.id != "bottleneck-stage", -_gain_ns(one)))


def _gain_ns(finding: Finding) -> int:
    return finding.gain.time_ns if finding.gain is not None else 0


def bottleneck_stage(evidence: Evidence) -> Finding | None:
    """The stage with the most device time, and how far ahead of the next it is."""
    total_ns = evidence.device.time_ns
    if len(evidence.stages) < 2 or not any(stage.device_time_ns for stage in evidence.stages):
        return None
    first, second = sorted(evidence.stages, key=lambda stage: -stage.device_time_ns)[:2]
    share = first.device_time_ns / total_ns
    message = f"{title(first.stage)} takes {share * 100:.1f} % of {evidence.kind} time"
    vision = next((stage for stage in evidence.stages if stage.stage == "vision"), None)
    other = vision if vision is not None and vision.stage != first.stage else second
    if other.device_time_ns:
        message += f": {times(first.device_time_ns / other.device_time_ns)} {other.stage}"
    return finding(
        "bottleneck-stage",
        severity="info",
        message=message,
        evidence={
            "stage": first.stage,
            "device_time_ns": first.device_time_ns,
            "share": share,
            "next": second.stage,
            "next_device_time_ns": second.device_time_ns,
        },
    )


def vision_reencoded(evidence: Evidence) -> Finding | None:
    """Runs of the vision encoder, or its ranges, inside prefill or decode."""
    ranges = evidence.ranges
    holder = innermost_span(ranges, ranges.encoder_start_ns, ranges.encoder_thread)
    llm = [ALL_STAGES.index(stage) for stage in LLM_STAGES]
    inside = np.flatnonzero((holder >= 0) & np.isin(ranges.stage[np.maximum(holder, 0)], llm))
    if not len(inside):
        return None
    time_ns = _time_within(evidence, inside)
    where = sorted({ALL_STAGES[stage] for stage in ranges.stage[holder[inside]].tolist()})
    return finding(
        "vision-reencoded",
        severity="error",
        message=(
            f"the vision encoder ran {len(inside)} times inside {' and '.join(where)} "
            f"({duration(time_ns)} of {evidence.kind} time): the LLM stage was given pictures, "
            "so a vision time measured apart counts work that is done again"
        ),
        evidence={"runs": len(inside), "stages": where, "device_time_ns": time_ns},
        gain=Gain(
            time_ns=time_ns,
            of_ns=evidence.device.time_ns,
            of=f"the trace's {evidence.kind} time",
            basis=f"the {evidence.kind} time launched inside these runs",
        ),
    )


def _time_within(evidence: Evidence, encoders: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
    """Time of the work launched inside these encoder runs."""
    ranges, work = evidence.ranges, evidence.work
    total_ns = 0
    for run in encoders.tolist():
        held = (
            (work.call_thread == ranges.encoder_thread[run])
            & (work.call_start_ns >= ranges.encoder_start_ns[run])
            & (work.call_start_ns < ranges.encoder_end_ns[run])
        )
        total_ns += int(work.time_ns[held].sum())
    return total_ns


def low_coverage(evidence: Evidence) -> Finding | None:
    """More than a twentieth of the time belongs to no stage, although there are stages."""
    device = evidence.device
    if not len(evidence.ranges) or device.time_ns == 0:
        return None
    share = device.unattributed.time_ns / device.time_ns
    if share <= LOW_COVERAGE:
        return None
    reasons = {name: reason.time_ns for name, reason in device.unattributed.reasons.items() if reason.time_ns}
    main = max(reasons, key=lambda name: reasons[name])
    return finding(
        "low-coverage",
        severity="warning",
        message=(f"{share:.1%} of the {evidence.kind} time belongs to no stage; main reason: {main.replace('_', ' ')}"),
        evidence={"share": share, **reasons},
    )


def profiler_distorts(evidence: Evidence) -> Finding | None:
    """The profiler slowed a stage by more than a tenth."""
    if evidence.latency is None:
        return None
    slowed = {stage: ratio for stage, ratio in evidence.latency.distortion.items() if ratio > DISTORTS}
    if not slowed:
        return None
    worst = max(slowed, key=lambda stage: slowed[stage])
    return finding(
        "profiler-distorts",
        severity="warning",
        message=f"the profiler made {worst} {slowed[worst]:.2f} times slower",
        evidence={"ratios": slowed},
    )


def same_stream_overlap(evidence: Evidence) -> Finding | None:
    """Ops overlap on their own stream: honestly (dependent launch), or because ends were stamped late."""
    overlaps, total_ns = evidence.overlaps, evidence.device.time_ns
    late = overlaps.longest_ns >= LATE_NS or overlaps.swallowed * 2 > overlaps.ops
    if not overlaps.ops or (not late and overlaps.time_ns < OVERLAP_WORTH_SAYING * total_ns):
        return None
    what = f"{overlaps.ops:,} ops overlap others on their own stream, {duration(overlaps.time_ns)} in all"
    if late:
        message = (
            f"{what}, {overlaps.swallowed:,} of them wholly inside another: ends stamped late, as ROCm's tracer "
            "does, so device time counts them twice; --clip-overlaps cuts each op at the start of the next"
        )
    else:
        message = f"{what}: dependent launch, where a kernel begins while the one before drains"
    return finding(
        "same-stream-overlap",
        severity="warning" if late else "info",
        message=message,
        evidence={
            "cause": "late-end" if late else "dependent-launch",
            "ops": overlaps.ops,
            "swallowed": overlaps.swallowed,
            "overlap_ns": overlaps.time_ns,
            "longest_ns": overlaps.longest_ns,
        },
    )


RULES: tuple[Callable[[Evidence], Finding | None], ...] = (
    bottleneck_stage,
    vision_reencoded,
    low_coverage,
    profiler_distorts,
    same_stream_overlap,
    *STAGE_RULES,
    *DECODE_RULES,
)

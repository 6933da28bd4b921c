"""Rules about whole stages: what limits them, and what of their work could be saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES, LOAD, PREFILL, PREPROCESS, VISION
from tracer.document.summary import Gain
from tracer.document.words import duration, title
from tracer.findings.evidence import finding
from tracer.kernels.categories import categorise

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.document.summary import Finding, Stage, StageRoofline
    from tracer.findings.evidence import Evidence

LAUNCH_BOUND = 0.5
UNFUSED = 0.2
FEWEST_UNFUSED = 10
DOMINANT = 0.5
# Their work is the host's: files are read, pictures resized. The device waits for that, and no graph would shorten it.
ON_HOST = (LOAD, PREPROCESS)


def launch_bound(evidence: Evidence) -> Finding | None:
    """Stages in which the device mostly waits for launches; the one that loses most time is named first."""
    if not evidence.on_gpu:
        return None
    shares = {stage.stage: _host_share(stage) for stage in evidence.stages if stage.ops and stage.stage not in ON_HOST}
    bound = [name for name, share in shares.items() if share > LAUNCH_BOUND and _idles_without_profiler(evidence, name)]
    if not bound:
        return None
    lost = {name: evidence.times[name].waiting_ns * evidence.times[name].runs for name in bound}
    worst = max(bound, key=lambda name: lost[name])
    others = [title(name) for name in bound if name != worst]
    message = (
        f"{title(worst)} waits for launches: the device is idle, and nothing asked for, {shares[worst]:.0%} of its time"
    )
    if others:
        message += f" ({' and '.join(others)} too)"
    return finding(
        "launch-bound",
        "warning",
        message,
        {"stages": {name: {"host_idle_share": shares[name], "waiting_ns": round(lost[name])} for name in bound}},
        Gain(
            time_ns=round(sum(lost.values())),
            of_ns=round(evidence.whole_ns),
            of=evidence.of_whole,
            basis="what these stages take beyond their busy time; at most",
        ),
    )


def _host_share(stage: Stage) -> float:
    window_ns = stage.busy_ns + stage.idle_ns
    return stage.idle.host_ns / window_ns if window_ns else 0.0


def _idles_without_profiler(evidence: Evidence, stage: str) -> bool:
    """Whether more than half of a run is idle; of a trace without clean latencies its own idle time says so."""
    time = evidence.times[stage]
    return not time.clean or time.waiting_ns > LAUNCH_BOUND * time.step_ns


def memory_bound(evidence: Evidence) -> Finding | None:
    """The stage that memory bandwidth limits and that takes the longest."""
    row = _longest_limited_by(evidence, "memory")
    if row is None or evidence.roofline is None or evidence.roofline.peak_gbs is None:
        return None
    time = evidence.times[row.stage]
    weights = row.weight_bytes / row.bytes
    return finding(
        "memory-bound",
        "info",
        f"{title(row.stage)} is bound by memory bandwidth: {row.bytes / 1e9:.2f} GB a run at {row.gbs:,.0f} GB/s, "
        f"{row.gbs / evidence.roofline.peak_gbs:.0%} of peak",
        {"stage": row.stage, "bytes": row.bytes, "gbs": row.gbs, "peak_gbs": evidence.roofline.peak_gbs},
        None
        if not weights
        else Gain(
            time_ns=round(row.busy_ns * weights / 2 * time.runs),
            of_ns=round(evidence.whole_ns),
            of=evidence.of_whole,
            basis="weights of half the size at the bandwidth reached",
        ),
    )


def compute_bound(evidence: Evidence) -> Finding | None:
    """The stage that arithmetic limits and that takes the longest."""
    row = _longest_limited_by(evidence, "compute")
    if row is None or evidence.roofline is None or evidence.roofline.peak_tflops is None:
        return None
    return finding(
        "compute-bound",
        "info",
        f"{title(row.stage)} is bound by arithmetic: {_rounded(row.tflops)} TFLOP/s while busy, "
        f"{row.tflops / evidence.roofline.peak_tflops:.0%} of peak",
        {"stage": row.stage, "tflops": row.tflops, "peak_tflops": evidence.roofline.peak_tflops},
    )


def _rounded(tflops: float) -> str:
    return f"{tflops:,.0f}" if tflops >= 10 else f"{tflops:.2g}"


def _longest_limited_by(evidence: Evidence, limit: str) -> StageRoofline | None:
    rows = evidence.roofline.stages if evidence.roofline else []
    rows = [row for row in rows if row.limited_by == limit and row.stage in evidence.times]
    return max(rows, key=lambda row: evidence.times[row.stage].total_ns, default=None)


def unfused_elementwise(evidence: Evidence) -> Finding | None:
    """Small kernels of PyTorch's own that read and write memory for one operation each."""
    if not evidence.on_gpu:
        return None
    found = {}
    for stage in evidence.stages:
        small = [kernel for kernel in stage.kernels if _is_unfused(kernel.name)]
        time_ns, count = sum(kernel.time_ns for kernel in small), sum(kernel.count for kernel in small)
        if count >= FEWEST_UNFUSED and time_ns > UNFUSED * stage.device_time_ns:
            found[stage.stage] = {
                "time_ns": time_ns,
                "count": count,
                "per_run_ns": time_ns / stage.calls,
                "share": time_ns / stage.device_time_ns,
            }
    if not found:
        return None
    worst = max(found, key=lambda name: found[name]["time_ns"])
    one = found[worst]
    others = [title(name) for name in found if name != worst]
    message = (
        f"{title(worst)} spends {one['share']:.0%} of its device time in {one['count']:,} unfused elementwise and "
        "copying kernels"
    )
    return finding(
        "unfused-elementwise",
        "warning",
        message + (f" ({' and '.join(others)} too)" if others else ""),
        {"stages": found},
        Gain(
            time_ns=round(sum(row["per_run_ns"] * evidence.times[name].runs for name, row in found.items())),
            of_ns=round(evidence.whole_ns),
            of=evidence.of_whole,
            basis="their whole time; at most, and only where the device is not waiting for launches",
        ),
    )


def _is_unfused(name: str) -> bool:
    return "at::native::" in name and categorise(name) in ("elementwise", "copy")


def frames_encoded_one_by_one(evidence: Evidence) -> Finding | None:
    """Several runs of the encoder in one vision stage that mostly waits."""
    ranges = evidence.ranges
    holder = innermost_span(ranges, ranges.encoder_start_ns, ranges.encoder_thread)
    inside = holder[(holder >= 0) & (ranges.stage[np.maximum(holder, 0)] == ALL_STAGES.index(VISION))]
    stages = int(np.count_nonzero(ranges.stage == ALL_STAGES.index(VISION)))
    if not evidence.on_gpu or not stages or len(inside) < 2 * stages or VISION not in evidence.times:
        return None
    frames = len(inside) / stages
    time = evidence.times[VISION]
    if time.waiting_ns <= time.busy_ns:
        return None
    batched_ns = max(time.busy_ns, time.step_ns / frames)
    return finding(
        "frames-encoded-one-by-one",
        "warning",
        f"vision encodes {frames:.0f} frames one by one: {duration(time.step_ns)}, of which the device is busy "
        f"{duration(time.busy_ns)}",
        {"frames": frames, "step_ns": round(time.step_ns), "busy_ns": round(time.busy_ns)},
        Gain(
            time_ns=round((time.step_ns - batched_ns) * time.runs),
            of_ns=round(evidence.whole_ns),
            of=evidence.of_whole,
            basis="one batch: the host's time divided by the frames, but no less than the busy time",
        ),
    )


def visual_tokens_dominate_prefill(evidence: Evidence) -> Finding | None:
    """Most of prefill's work is for visual tokens."""
    token = evidence.roofline.visual_token if evidence.roofline else None
    if token is None or token.prefill_share <= DOMINANT or PREFILL not in evidence.times:
        return None
    time = evidence.times[PREFILL]
    return finding(
        "visual-tokens-dominate-prefill",
        "info",
        f"{token.count:,} visual tokens are {token.prefill_share:.0%} of prefill's work",
        {"visual_tokens": token.count, "share": token.prefill_share, "prefill_busy_ns": round(time.busy_ns)},
        Gain(
            time_ns=round(time.busy_ns * token.prefill_share / 2),
            of_ns=round(evidence.whole_ns),
            of=evidence.of_whole,
            basis="half of the visual tokens, at the same rate, and only if the device is not waiting for launches",
        ),
    )


STAGE_RULES: tuple[Callable[[Evidence], Finding | None], ...] = (
    launch_bound,
    frames_encoded_one_by_one,
    memory_bound,
    compute_bound,
    unfused_elementwise,
    visual_tokens_dominate_prefill,
)

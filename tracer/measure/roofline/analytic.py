"""How far each stage is from what the device could do: floors, utilisation, and what a visual token costs.

The work of a stage is the model's own analytic count (see `model.staged.StageCost`); the roofline bound of a stage is
the longer of its operations over peak arithmetic and its bytes over peak bandwidth (Williams, Waterman and Patterson,
doi:10.1145/1498765.1498785). Activations are not counted, so floors are a little too low, never too high.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.manifest import Cost
from tracer.document.names import DECODE, PREFILL, VISION
from tracer.document.summary import Roofline, StageRoofline, VisualToken
from tracer.peaks.find import find_peak
from tracer.peaks.peak import Peak

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.document.manifest import Manifest
    from tracer.document.summary import Stage, Token
    from tracer.measure.runs import StageTime


def draw(
    manifest: Manifest,
    stages: Sequence[Stage],
    tokens: Sequence[Token],
    times: Mapping[str, StageTime],
    *,
    tflops: float | None = None,
    gbs: float | None = None,
    traced_gbs: float | None = None,
) -> Roofline | None:
    """Put each stage under the device's roof; None where the recording does not say what its stages compute.

    Args:
        manifest: of the recording.
        stages, tokens: of the trace.
        times: what a run of each stage takes.
        tflops, gbs: peaks that a person gave.
        traced_gbs: what the trace says of the device's memory.
    """
    if manifest.cost is None:
        return None
    device = str(manifest.device.get("name", ""))
    peak = find_peak(device, manifest.dtype, tflops=tflops, gbs=gbs, traced_gbs=traced_gbs)
    rows = []
    for stage in stages:
        runs = _runs(manifest, stage, tokens)
        if runs and stage.busy_ns:
            rows.append(stage_row(stage, _total(runs), peak, times[stage.stage]))
    return Roofline(
        device=device,
        dtype=manifest.dtype,
        peak_tflops=peak.tflops,
        peak_gbs=peak.gbs,
        peak_source=peak.source,
        stages=rows,
        visual_token=_visual_token(manifest, rows, peak),
    )


def _runs(manifest: Manifest, stage: Stage, tokens: Sequence[Token]) -> list[Cost]:
    """The work of every run of a stage that the trace holds."""
    cost = manifest.cost
    if cost is None:
        return []
    if stage.stage == VISION:
        return [cost.vision] * stage.calls
    if stage.stage == PREFILL:
        return [_total([cost.vision, cost.prefill]) if manifest.coupled else cost.prefill] * stage.calls
    if stage.stage == DECODE and all(1 <= token.index <= len(cost.decode) for token in tokens):
        return [cost.decode[token.index - 1] for token in tokens]
    return []


def _total(costs: Sequence[Cost]) -> Cost:
    return Cost(
        flops=sum(cost.flops for cost in costs),
        weight_bytes=sum(cost.weight_bytes for cost in costs),
        kv_bytes=sum(cost.kv_bytes for cost in costs),
    )


def stage_row(stage: Stage, work: Cost, peak: Peak, time: StageTime) -> StageRoofline:
    """One stage; all figures are of one run of it, on average."""
    flops, moved = work.flops / stage.calls, (work.weight_bytes + work.kv_bytes) / stage.calls
    busy_ns, step_ns = time.busy_ns, time.step_ns
    compute_ns = None if not peak.tflops else flops / peak.tflops / 1e3
    memory_ns = None if not peak.gbs else moved / peak.gbs
    floors = [floor for floor in (compute_ns, memory_ns) if floor is not None]
    floor_ns = max(floors) if len(floors) == 2 else None
    return StageRoofline(
        stage=stage.stage,
        runs=stage.calls,
        flops=round(flops),
        bytes=round(moved),
        weight_bytes=round(work.weight_bytes / stage.calls),
        intensity=flops / moved if moved else None,
        busy_ns=round(busy_ns),
        step_ns=round(step_ns),
        step_source="clean" if time.clean else "trace",
        tflops=flops / busy_ns / 1e3,
        gbs=moved / busy_ns,
        mfu=None if compute_ns is None else compute_ns / step_ns,
        mbu=None if memory_ns is None else memory_ns / step_ns,
        bound=_bound(compute_ns, memory_ns),
        floor_ns=None if floor_ns is None else round(floor_ns),
        distance_ns=None if floor_ns is None else round(step_ns - floor_ns),
        limited_by=_limit(stage, busy_ns, step_ns, compute_ns, memory_ns),
    )


def _bound(compute_ns: float | None, memory_ns: float | None) -> str | None:
    if compute_ns is None or memory_ns is None:
        return None
    return "compute" if compute_ns >= memory_ns else "memory"


def _limit(
    stage: Stage, busy_ns: float, step_ns: float, compute_ns: float | None, memory_ns: float | None
) -> str | None:
    """What a run of the stage waits for most; see `StageRoofline.limited_by`."""
    if busy_ns < step_ns / 2:
        idle = {
            "host": stage.idle.host_ns,
            "sync": stage.idle.sync_ns,
            "launch": stage.idle.launch_ns,
            "unknown": stage.idle.unknown_ns,
        }
        return max(idle, key=lambda cause: idle[cause])
    if compute_ns is None or memory_ns is None:
        return None
    return _bound(compute_ns, memory_ns) if max(compute_ns, memory_ns) > busy_ns / 2 else "kernels"


def _visual_token(manifest: Manifest, rows: Sequence[StageRoofline], peak: Peak) -> VisualToken | None:
    """What one visual token costs, by the difference that all of them make.

    A decoder's pass over n positions with c cached ones takes n p + h + a n (c + n) operations: p for the matrix
    products of a position, h for the logits of the last, a for attention between two. Prefill and two decode steps give
    all three. None where a third decode step does not fit, as in models whose attention has a window.
    """
    cost, shape = manifest.cost, manifest.shape
    if cost is None or len(cost.decode) < 3 or not shape.visual_tokens:
        return None
    length = shape.visual_tokens + shape.prompt_tokens
    first, second, third = cost.decode[:3]
    attention = second.flops - first.flops
    if third.flops - second.flops != attention or length < 2 or not cost.prefill.flops:
        return None
    products = (cost.prefill.flops - attention * length**2 - first.flops + attention * (length + 1)) / (length - 1)
    text = shape.prompt_tokens
    saved = products * shape.visual_tokens + attention * (length**2 - text**2)
    kv_bytes = second.kv_bytes - first.kv_bytes
    prefill = next((row for row in rows if row.stage == PREFILL), None)
    share = saved / cost.prefill.flops
    return VisualToken(
        count=shape.visual_tokens,
        prefill_flops=round(saved / shape.visual_tokens),
        prefill_share=share,
        prefill_ns=None if prefill is None else prefill.busy_ns * share / shape.visual_tokens,
        kv_bytes=kv_bytes,
        decode_ns=None if not peak.gbs else kv_bytes / peak.gbs,
    )

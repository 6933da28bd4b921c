"""Stages under their device's roof.

The bound of a stage is the longer of its operations over peak arithmetic and its bytes over peak bandwidth (Williams,
Waterman and Patterson, doi:10.1145/1498765.1498785).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.summary import Roofline, StageRoofline
from tracer.document.words import duration, title

if TYPE_CHECKING:
    from tracer.document.manifest import Cost
    from tracer.document.summary import PassWork, VisualToken
    from tracer.measure.known import KnownStage, KnownTime
    from tracer.peaks.peak import Peak


def under_roof(
    device: str,
    dtype: str,
    peak: Peak,
    stages: list[StageRoofline],
    *,
    visual_token: VisualToken | None = None,
    step: PassWork | None = None,
    source: str = "model",
) -> Roofline:
    """The stages with the peak that they are held to; see `Roofline`."""
    return Roofline(
        device=device,
        dtype=dtype,
        peak_tflops=peak.tflops,
        peak_gbs=peak.gbs,
        peak_source=peak.source,
        stages=stages,
        visual_token=visual_token,
        step=step,
        source=source,
    )


def stage_row(stage: KnownStage, work: Cost, peak: Peak, time: KnownTime) -> StageRoofline:
    """One stage; all figures are of one run of it, on average.

    Args:
        stage: all of its runs.
        work: of all of them.
        peak: of one device; a run has those of all devices that work in it.
        time: what a run takes.
    """
    flops, moved = work.flops / stage.runs, (work.weight_bytes + work.kv_bytes) / stage.runs
    busy_ns, step_ns = time.busy_ns, time.step_ns
    tflops = peak.tflops * time.devices if peak.tflops else None
    gbs = peak.gbs * time.devices if peak.gbs else None
    compute_ns = None if not tflops else work.floor_flops / stage.runs / tflops / 1e3
    memory_ns = None if not gbs else moved / gbs
    floors = [floor for floor in (compute_ns, memory_ns) if floor is not None]
    mfu = None if not tflops else flops / tflops / 1e3 / step_ns
    error = _impossible(stage.stage, max(floors, default=0.0), min(busy_ns, step_ns))
    if mfu is not None and mfu > 1:  # it counts attention that a mask hides
        error = error or _impossible(stage.stage, mfu * step_ns, step_ns)
    if error:
        compute_ns = memory_ns = mfu = None
    floor_ns = max(floors) if len(floors) == 2 and not error else None
    return StageRoofline(
        stage=stage.stage,
        runs=stage.runs,
        flops=round(flops),
        bytes=round(moved),
        weight_bytes=round(work.weight_bytes / stage.runs),
        intensity=flops / moved if moved else None,
        busy_ns=round(busy_ns),
        step_ns=round(step_ns),
        step_source="clean" if time.clean else "trace",
        tflops=flops / busy_ns / 1e3,
        gbs=moved / busy_ns,
        mfu=mfu,
        mbu=None if memory_ns is None else memory_ns / step_ns,
        bound=_bound(compute_ns, memory_ns),
        floor_ns=None if floor_ns is None else round(floor_ns),
        distance_ns=None if floor_ns is None else round(step_ns - floor_ns),
        limited_by=_limit(stage, busy_ns, step_ns, compute_ns, memory_ns),
        devices=time.devices,
        error=error,
    )


def _impossible(stage: str, floor_ns: float, measured_ns: float) -> str:
    """Say that something took less time than its work takes at peak; "" where it did not.

    A device is busy, and a run takes, at least as long as the floor; one of the figures is wrong, and no share of a
    peak follows from it.
    """
    if floor_ns <= measured_ns:
        return ""
    what = f"{title(stage)}: " if stage else ""
    return (
        f"{what}its work takes {duration(floor_ns)} at peak, and {duration(measured_ns)} were "
        "measured: the peak is too low for what the kernels did, its bytes came from a cache, or the time is not "
        "that of the work; no share of a peak follows"
    )


def _bound(compute_ns: float | None, memory_ns: float | None) -> str | None:
    if compute_ns is None or memory_ns is None:
        return None
    return "compute" if compute_ns >= memory_ns else "memory"


def _limit(
    stage: KnownStage, busy_ns: float, step_ns: float, compute_ns: float | None, memory_ns: float | None
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

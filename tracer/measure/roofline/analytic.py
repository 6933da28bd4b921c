"""How far each stage is from what the device could do: floors, utilisation, and what a visual token costs.

The work of a stage is the model's own analytic count (see `model.staged.StageCost`); the roofline bound of a stage is
the longer of its operations over peak arithmetic and its bytes over peak bandwidth (Williams, Waterman and Patterson,
doi:10.1145/1498765.1498785). Activations are not counted, nor is what a causal mask hides, so floors are a little too
low, never too high; MFU counts attention in full, as is the custom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.manifest import Cost
from tracer.document.names import DECODE, PREFILL, VISION
from tracer.measure.roofline.passes import pass_work
from tracer.measure.roofline.row import stage_row, under_roof
from tracer.measure.roofline.visual import visual_token
from tracer.peaks.find import find_peak
from tracer.peaks.precision import product_type
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracer.document.manifest import Costs, Manifest
    from tracer.document.summary import Roofline, Token
    from tracer.measure.known import KnownStage, KnownTime
    from tracer.peaks.peak import Peak

NEEDS = Want.SUMMARY


def draw(
    manifest: Manifest,
    stages: Sequence[KnownStage],
    tokens: Sequence[Token],
    times: Mapping[str, KnownTime],
    *,
    device: str,
    **peaks: float | None,
) -> Roofline | None:
    """Put each stage under the device's roof; None where the recording does not say what its stages compute.

    Args:
        manifest: of the recording.
        stages, tokens: of the trace.
        times: what a run of each stage takes.
        device: whose peaks count, by name; "" of several kinds.
        peaks: `tflops`, `gbs` and `traced_gbs` of `find_peak`.
    """
    if manifest.cost is None:
        return None
    kernels = ((kernel.name, kernel.time_ns) for row in stages for kernel in row.kernels)
    dtype, peak = _peak(manifest, kernels, device, **peaks)
    rows = []
    for stage in stages:
        runs = _runs(manifest, stage, tokens)
        if runs and stage.busy_ns:
            rows.append(stage_row(stage, _total(runs), peak, times[stage.stage]))
    token = visual_token(manifest, rows, peak)
    return under_roof(device, dtype, peak, rows, visual_token=token, step=pass_work(manifest.cost))


def of_passes(manifest: Manifest, cost: Costs, *, device: str, **peaks: float | None) -> Roofline:
    """The roof over passes of one of several models, whose stages nothing tells from the others' here.

    Args:
        manifest: of the recording.
        cost: that model's work.
        device: where it is, by name.
        peaks: see `draw`.
    """
    return under_roof(device, *_peak(manifest, (), device, **peaks), [], step=pass_work(cost))


def _peak(
    manifest: Manifest, kernels: Iterable[tuple[str, int]], device: str, **peaks: float | None
) -> tuple[str, Peak]:
    """In which type a recording's matrix products reckon, by their kernels too, and the device's peak of that type."""
    dtype = product_type(manifest.dtype, kernels, allowed=rounds_float32(manifest))
    threads = manifest.device.get("threads")
    return dtype, find_peak(device, dtype, threads=threads if isinstance(threads, int) else None, **peaks)


def rounds_float32(manifest: Manifest | None) -> bool:
    """Whether the recording allowed that matrix products round float32; older ones do not say."""
    return manifest is not None and manifest.device.get("float32_matmul_precision") in ("high", "medium")


def _runs(manifest: Manifest, stage: KnownStage, tokens: Sequence[Token]) -> list[Cost]:
    """The work of every run of a stage that the trace holds."""
    cost = manifest.cost
    if cost is None:
        return []
    if stage.stage == VISION:
        return [cost.vision] * stage.runs
    if stage.stage == PREFILL:
        return [_total([cost.vision, cost.prefill]) if manifest.coupled else cost.prefill] * stage.runs
    if stage.stage == DECODE and all(1 <= token.index <= len(cost.decode) for token in tokens):
        # A step that is opened twice in a request is one.
        steps = dict.fromkeys((number if token.request < 0 else token.request, token.index)
                              for number, token in enumerate(tokens))  # fmt: skip
        return [cost.decode[index - 1] for _, index in steps]
    return []


def _total(costs: Sequence[Cost]) -> Cost:
    return Cost(
        flops=sum(cost.flops for cost in costs),
        weight_bytes=sum(cost.weight_bytes for cost in costs),
        kv_bytes=sum(cost.kv_bytes for cost in costs),
        least_flops=sum(cost.floor_flops for cost in costs),
    )

"""The roofline of a trace whose model is not known, by the shapes of its operators.

The work of a stage is that of the operators that have a formula (see `shapes`). What has none is missing from it, so
utilisation is a lower bound, and the share of device time that is covered is said beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.charge.intervals import distinct
from tracer.charge.work import NO_DEVICE
from tracer.document.manifest import Cost
from tracer.document.names import ALL_STAGES
from tracer.measure.idle import idle_of
from tracer.measure.kernels import kernel_rows
from tracer.measure.known import KnownStage, KnownTime
from tracer.measure.roofline.analytic import rounds_float32
from tracer.measure.roofline.recorded_work import StageWork, recorded_work
from tracer.measure.roofline.row import stage_row, under_roof
from tracer.measure.together import together
from tracer.peaks.find import find_peak
from tracer.peaks.precision import product_type
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.document.summary import Roofline, StageRoofline
    from tracer.peaks.peak import Peak
    from tracer.trace.columns import Trace

NEEDS = Want.SUMMARY | Want.CPU_OPS | Want.DETAILS
NO_SHAPES = (
    "--shapes: no matrix product in it has its shapes; record with record_shapes=True (tracer record --record-shapes)"
)
WHOLE_TRACE = ""
# Of a stage of which less is known, what limits it is not said unless that is idle time.
ENOUGH = 0.5


def draw(
    trace: Trace,
    ranges: StageRanges,
    work: Work,
    stages: Sequence[KnownStage],
    times: Mapping[str, KnownTime],
    *,
    device: str,
    **peaks: float | None,
) -> Roofline | None:
    """Put each stage, or a trace without stages, under the device's roof; None where no shapes were recorded.

    Args:
        trace: with its CPU operators and their details.
        ranges, work: of the trace.
        stages: of the trace, as far as all of their work was recorded.
        times: what a run of each takes.
        device: whose peaks count, by name; "" of several kinds.
        peaks: `tflops`, `gbs` and `traced_gbs` of `find_peak`.
    """
    recorded = recorded_work(trace, ranges, work)
    if recorded is None:
        return None
    kernels = kernel_rows(trace.strings, work, np.arange(len(work)))
    products = ((kernel.name, kernel.time_ns) for kernel in kernels)
    dtype = product_type(recorded.dtype, products, allowed=rounds_float32(trace.manifest))
    peak = find_peak(device, dtype, threads=None, **peaks)
    rows = []
    if len(ranges):
        for stage in stages:
            done = recorded.stages.get(ALL_STAGES.index(stage.stage))
            if done is not None and stage.busy_ns:
                rows.append(_row(stage, done, peak, times[stage.stage]))
    elif (whole := _whole_trace(work)).busy_ns:
        rows.append(_row(whole, recorded.whole, peak, _time_of(work)))
    return under_roof(device, dtype, peak, rows, source="shapes")


def _row(stage: KnownStage, work: StageWork, peak: Peak, time: KnownTime) -> StageRoofline:
    least = max(0, work.flops - work.hideable_flops)
    row = stage_row(stage, Cost(flops=work.flops, weight_bytes=0, kv_bytes=work.bytes, least_flops=least), peak, time)
    covered = work.covered_ns / stage.device_time_ns if stage.device_time_ns else 0.0
    idles = row.busy_ns < row.step_ns / 2
    limit = row.limited_by if idles or covered >= ENOUGH else None
    return msgspec.structs.replace(row, covered=covered, limited_by=limit)


def _time_of(work: Work) -> KnownTime:
    """What a trace without stages takes: the time of all its devices together."""
    devices = [device for device in distinct(work.device) if device != NO_DEVICE]
    busy_ns, idle_ns = together(work, [devices] if len(devices) > 1 else [])
    busy = int(busy_ns.sum())
    return KnownTime(
        stage=WHOLE_TRACE,
        runs=1,
        busy_ns=busy,
        step_ns=busy + int(idle_ns.sum()),
        clean=False,
        devices=max(1, len(devices)),
        recorded=1,
    )


def _whole_trace(work: Work) -> KnownStage:
    """A trace without stages as one, called once."""
    idle = idle_of(work, np.arange(len(work)))
    return KnownStage(
        stage=WHOLE_TRACE,
        calls=1,
        ops=len(work),
        device_time_ns=int(work.time_ns.sum()),
        busy_ns=int(work.busy_ns.sum()),
        idle_ns=idle.total_ns,
        idle=idle,
        span_ns=0,
        cpu_ns=0,
        categories={},
        kernels=[],
    )

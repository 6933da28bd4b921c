"""The passes in order: a trace file becomes a `Summary`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import coded, int8, int64
from tracer.charge.attribution import Attribution, Reason, attribute, innermost_stage
from tracer.charge.intervals import Cover, distinct, sum_by
from tracer.charge.ledger import Charges, charge_device_ops, charge_operators
from tracer.charge.overlaps import Overlaps, clip, measure
from tracer.charge.stages.find import StageRanges, find_stages
from tracer.document.names import ALL_STAGES, DECODE
from tracer.document.summary import (
    SCHEMA,
    DeviceRef,
    DeviceTotals,
    Idle,
    Kernel,
    Stage,
    StageBudget,
    Summary,
    Token,
    TraceInfo,
    Unattributed,
    Window,
)
from tracer.document.summary import Reason as ReasonRow
from tracer.findings import find as findings
from tracer.findings.evidence import Evidence
from tracer.kernels.categories import by_category
from tracer.measure import decoding
from tracer.measure.annotations import annotation_rows
from tracer.measure.breakdown import WANTS, break_down
from tracer.measure.counts import RangeCounts, count
from tracer.measure.fusion import fused_decode
from tracer.measure.latency import clean_latency
from tracer.measure.requests import request_rows
from tracer.measure.roofline import analytic as roofline
from tracer.measure.roofline import recorded as recorded_roof
from tracer.measure.runs import stage_times
from tracer.measure.unseen import unseen_device
from tracer.trace.columns import Device, Want
from tracer.trace.reader import read_source
from tracer.trace.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tracer.arrays import I64
    from tracer.document.manifest import Manifest
    from tracer.measure.runs import StageTime
    from tracer.trace.columns import Trace

RANGE_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a person may choose about a summary.

    Attributes:
        patterns: regular expressions of stage ranges, by stage; see `find_stages`.
        all_ranges: keep every annotation's row, not only the first hundred.
        any_thread: give launches of threads without ranges to the stage open elsewhere; see `attribute`.
        clip_overlaps: cut each op at the start of the next on its stream.
        peak_tflops, peak_gbs: what the device can do, where its data sheet is not to be asked.
        shapes: take the stages' work from the operators' recorded shapes instead of the manifest.
        by: break device time down by this as well; a key of `breakdown.WANTS`.
        jobs: processes to read with; by the file's size if None.
        strict: refuse a torn file.
        nsys: the program that exports Nsight reports, or its folder; the one on PATH if None.
    """

    patterns: Mapping[str, str] = field(default_factory=dict)
    all_ranges: bool = False
    any_thread: bool = False
    clip_overlaps: bool = False
    peak_tflops: float | None = None
    peak_gbs: float | None = None
    by: str | None = None
    shapes: bool = False
    jobs: int | None = None
    strict: bool = False
    nsys: Path | None = None

    def in_words(self) -> list[str]:
        """Those that changed the attribution or the times."""
        words = []
        if self.any_thread:
            words.append("launches of threads without ranges were given to the stage open on another thread")
        if self.clip_overlaps:
            words.append("ops were cut at the start of the next on their stream")
        return words


def summarize_file(path: str | Path, choices: Choices | None = None) -> Summary:
    """Read a trace and summarise it.

    Raises:
        InputError: the file is no trace.
    """
    choices = choices or Choices()
    want = Want.SUMMARY
    with Source(path) as source:

        def read(wanted: Want) -> Trace:
            return read_source(source, wanted, jobs=choices.jobs, strict=choices.strict, nsys=choices.nsys)

        if choices.by is not None:
            want |= WANTS[choices.by]
        if choices.shapes:
            want |= Want.CPU_OPS | Want.DETAILS
        trace = read(want)
        more = Want(0)
        if not len(trace.ops) and trace.format == "chrome":
            # Operators are most of a file, and only a trace without device ops needs them.
            more |= Want.CPU_OPS
        if trace.stacks and not len(find_stages(trace, choices.patterns)):
            more |= Want.MODULES  # its modules may tell the stages that no marker does
        if more & ~want:
            trace = read(want | more)
        return summarize(trace, choices, frames=(lambda: read(Want.FRAMES)) if trace.stacks else None)


def summarize(trace: Trace, choices: Choices | None = None, *, frames: Callable[[], Trace] | None = None) -> Summary:
    """Summarise a trace that has device ops, or CPU operators in their place.

    Args:
        trace: to summarise.
        choices: what a person chose.
        frames: reads the same file for its Python frames; called only if a finding needs them.
    """
    choices = choices or Choices()
    unseen = unseen_device(trace)
    if unseen is not None:
        trace = replace(trace, warnings=[*trace.warnings, unseen])
    overlaps = measure(trace.ops)
    if choices.clip_overlaps:
        trace = clip(trace)
    ranges = find_stages(trace, choices.patterns)
    if len(trace.ops):
        attribution = attribute(trace, ranges, any_thread=choices.any_thread)
        charges = charge_device_ops(trace, attribution)
    else:
        attribution = _attribute_operators(trace, ranges)
        charges = charge_operators(trace, attribution.stage)
    device = _device_totals(trace, charges, attribution, overlaps)
    counts = count(trace, ranges, attribution)
    stages = _stage_rows(trace, ranges, charges, counts)
    tokens = _token_rows(ranges, charges, counts)
    requests = request_rows(trace.manifest) if trace.manifest else []
    latency = clean_latency(trace.manifest, requests) if trace.manifest else None
    times = stage_times(stages, latency, trace.manifest)
    bandwidth = max((one.memory_bandwidth or 0 for one in trace.devices), default=0)
    peaks = {"tflops": choices.peak_tflops, "gbs": choices.peak_gbs, "traced_gbs": bandwidth / 1e9 or None}
    roof = None
    if unseen is not None:
        pass  # no rates: how long the host was busy says nothing of the device's work
    elif choices.shapes:
        roof = recorded_roof.draw(trace, ranges, attribution, charges, stages, times, **peaks)
        trace = trace if roof is not None else replace(trace, warnings=[*trace.warnings, recorded_roof.NO_SHAPES])
    elif trace.manifest is not None:
        roof = roofline.draw(trace.manifest, stages, tokens, times, **peaks)
    steps = decoding.describe(tokens, trace.manifest)
    rows = annotation_rows(trace, attribution.call if charges.kind == "gpu" else int64([]))
    evidence = Evidence(
        trace=trace,
        ranges=ranges,
        attribution=attribution,
        charges=charges,
        overlaps=overlaps,
        device=device,
        stages=stages,
        tokens=tokens,
        times=times,
        latency=latency,
        decoding=steps,
        roofline=roof,
        frames=frames,
    )
    return Summary(
        schema_=SCHEMA,
        trace=_trace_info(trace, ranges, choices),
        window=_window(charges),
        device=device,
        stages=stages,
        tokens=tokens,
        ranges=rows if choices.all_ranges else rows[:RANGE_ROWS],
        latency=latency,
        findings=findings.find(evidence),
        budget=_budget(trace, ranges, charges, stages, times),
        breakdown=None if choices.by is None else break_down(trace, ranges, attribution, charges, choices.by),
        run=_run(trace.manifest) if trace.manifest else None,
        decoding=steps,
        roofline=roof,
        requests=requests,
    )


def _budget(
    trace: Trace, ranges: StageRanges, charges: Charges, stages: list[Stage], times: dict[str, StageTime]
) -> list[StageBudget]:
    fused = fused_decode(trace, ranges, charges)
    steps = next((stage.calls for stage in stages if stage.stage == DECODE), 1)
    return [
        StageBudget(**asdict(time), fused_ns=fused / steps if fused is not None and time.stage == DECODE else None)
        for time in times.values()
    ]


def _attribute_operators(trace: Trace, ranges: StageRanges) -> Attribution:
    spans = trace.cpu_ops
    stage = innermost_stage(ranges, spans.start_ns, int64(spans.thread))
    reason = np.where(stage >= 0, Reason.ATTRIBUTED, Reason.OUTSIDE_RANGES)
    return Attribution(call=np.full(len(spans), -1, dtype=np.int64), stage=stage, reason=int8(reason))


def _trace_info(trace: Trace, ranges: StageRanges, choices: Choices) -> TraceInfo:
    described = {device.id: device for device in trace.devices}
    used = distinct(trace.ops.device) if len(trace.ops) else sorted(described)
    return TraceInfo(
        path=trace.path.encode("utf-8", "backslashreplace").decode(),  # names of files may be no text
        format=trace.format,
        producer=trace.producer,
        events=trace.events,
        devices=[DeviceRef(**asdict(described.get(device, Device(device, "")))) for device in used],
        markers=ranges.markers,
        warnings=[*trace.warnings, *(trace.manifest.warnings if trace.manifest else [])],
        choices=choices.in_words(),
    )


def _window(charges: Charges) -> Window:
    if not len(charges):
        return Window(start_ns=0, end_ns=0)
    return Window(start_ns=int(charges.start_ns.min()), end_ns=int(charges.end_ns.max()))


def _device_totals(trace: Trace, charges: Charges, attribution: Attribution, overlaps: Overlaps) -> DeviceTotals:
    outside = charges.stage < 0
    reasons = {
        reason.name.lower(): ReasonRow(ops=int(chosen.sum()), time_ns=int(charges.time_ns[chosen].sum()))
        for reason in Reason
        if reason is not Reason.ATTRIBUTED
        for chosen in [attribution.reason == reason]
    }
    return DeviceTotals(
        kind=charges.kind,
        ops=len(charges),
        time_ns=int(charges.time_ns.sum()),
        busy_ns=int(charges.busy_ns.sum()),
        idle_ns=int(charges.idle_ns.sum()),
        unattributed=Unattributed(
            ops=int(outside.sum()),
            time_ns=int(charges.time_ns[outside].sum()),
            busy_ns=int(charges.busy_ns[outside].sum()),
            idle_ns=int(charges.idle_ns[outside].sum()),
            idle=_idle(charges, outside),
            reasons=reasons,
        ),
        same_stream_overlap_ns=overlaps.time_ns,
        same_stream_overlaps=overlaps.ops,
        categories=by_category(_time_by_name(trace, charges)),
    )


def _idle(charges: Charges, rows: I64 | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Idle:
    return Idle(
        host_ns=int(charges.host_ns[rows].sum()),
        sync_ns=int(charges.sync_ns[rows].sum()),
        launch_ns=int(charges.launch_ns[rows].sum()),
        unknown_ns=int(charges.unknown_ns[rows].sum()),
    )


def _stage_rows(trace: Trace, ranges: StageRanges, charges: Charges, counts: RangeCounts) -> list[Stage]:
    """One row for each stage that occurs, in the order of a request."""
    stage_of_op = np.where(charges.stage >= 0, ranges.stage[charges.stage], -1) if len(ranges) else charges.stage
    rows = []
    for code, stage in enumerate(ALL_STAGES):
        own = np.flatnonzero(ranges.stage == code)
        if not len(own):
            continue
        ops = np.flatnonzero(stage_of_op == code)
        rows.append(
            Stage(
                stage=stage,
                calls=len(own),
                ops=len(ops),
                device_time_ns=int(charges.time_ns[ops].sum()),
                busy_ns=int(charges.busy_ns[ops].sum()),
                idle_ns=int(charges.idle_ns[ops].sum()),
                idle=_idle(charges, ops),
                span_ns=_span(ranges, charges, ops),
                cpu_ns=_host_time(ranges, own),
                counts=counts.of(own),
                **_kernels(trace, charges, ops),
            )
        )
    return rows


def _span(ranges: StageRanges, charges: Charges, ops: I64) -> int:
    """First start to last end, per request (per range where requests are unknown), added up."""
    if not len(ops):
        return 0
    held_by = charges.stage[ops]
    request = ranges.request[held_by]
    group = np.where(request >= 0, request, -1 - held_by)
    _, group = coded(group)
    first = np.full(group.max() + 1, np.iinfo(np.int64).max)
    last = np.full(group.max() + 1, np.iinfo(np.int64).min)
    np.minimum.at(first, group, charges.start_ns[ops])
    np.maximum.at(last, group, charges.end_ns[ops])
    return int((last - first).sum())


def _host_time(ranges: StageRanges, own: I64) -> int:
    """Time on the host inside these ranges, on each thread once."""
    return sum(
        Cover.of(ranges.start_ns[rows], ranges.end_ns[rows]).length_ns
        for thread in distinct(ranges.thread[own])
        for rows in [own[ranges.thread[own] == thread]]
    )


def _kernels(trace: Trace, charges: Charges, ops: I64) -> dict[str, Any]:
    """Device time by kernel name and by category."""
    names, name = coded(charges.name[ops])
    time_ns = sum_by(name, charges.time_ns[ops], len(names))
    count = np.bincount(name, minlength=len(names))
    kernels = [
        Kernel(name=trace.strings[names[i]], count=int(count[i]), time_ns=int(time_ns[i])) for i in range(len(names))
    ]
    kernels.sort(key=lambda kernel: (-kernel.time_ns, -kernel.count, kernel.name))
    return {"kernels": kernels, "categories": by_category((kernel.name, kernel.time_ns) for kernel in kernels)}


def _time_by_name(trace: Trace, charges: Charges) -> list[tuple[str, int]]:
    time_ns = sum_by(int64(charges.name), charges.time_ns, len(trace.strings))
    return [(trace.strings[name], int(time_ns[name])) for name in distinct(charges.name)]


def _token_rows(ranges: StageRanges, charges: Charges, counts: RangeCounts) -> list[Token]:
    """One row for each decode step, in the order of requests and tokens; none for decoding marked as a whole."""
    steps = np.flatnonzero((ranges.stage == ALL_STAGES.index(DECODE)) & (ranges.index >= 0))
    steps = steps[np.lexsort((steps, ranges.index[steps], ranges.request[steps]))]
    row_of_range = np.full(len(ranges), -1, dtype=np.int64)
    row_of_range[steps] = np.arange(len(steps))
    held = np.flatnonzero(charges.stage >= 0)
    row = row_of_range[charges.stage[held]] if len(ranges) else held
    held, row = held[row >= 0], row[row >= 0]

    def total(values: I64) -> list[int]:
        return list(sum_by(row, values[held], len(steps)).tolist())

    columns = zip(
        ranges.request[steps].tolist(),
        ranges.index[steps].tolist(),
        np.bincount(row, minlength=len(steps)).tolist(),
        total(charges.time_ns),
        total(charges.busy_ns),
        total(charges.host_ns),
        total(charges.sync_ns),
        total(charges.launch_ns),
        total(charges.unknown_ns),
        (ranges.end_ns - ranges.start_ns)[steps].tolist(),
        steps.tolist(),
        strict=True,
    )
    return [
        Token(
            request=request,
            index=index,
            ops=ops,
            device_time_ns=time_ns,
            busy_ns=busy_ns,
            idle_ns=host_ns + sync_ns + launch_ns + unknown_ns,
            idle=Idle(host_ns=host_ns, sync_ns=sync_ns, launch_ns=launch_ns, unknown_ns=unknown_ns),
            cpu_ns=cpu_ns,
            counts=counts.of(int64([step])),
        )
        for request, index, ops, time_ns, busy_ns, host_ns, sync_ns, launch_ns, unknown_ns, cpu_ns, step in columns
    ]


def _run(manifest: Manifest) -> dict[str, Any]:
    """What the reports say about a recording of ours."""
    return {
        "model": manifest.model.get("name"),
        "size": manifest.model.get("size"),
        "weights": manifest.model.get("weights"),
        "input": manifest.model.get("input"),
        "device": manifest.device.get("name"),
        "device_type": manifest.device.get("type"),
        "dtype": manifest.dtype,
        "batch_size": manifest.shape.batch_size,
        "frames": manifest.shape.frames,
        "visual_tokens": manifest.shape.visual_tokens,
        "prompt_tokens": manifest.shape.prompt_tokens,
        "new_tokens": manifest.shape.new_tokens,
        "coupled": manifest.coupled,
        "synchronised": manifest.synchronised,
        "verification": manifest.verification.status,
        "not_verified_because": manifest.verification.reason,
        "warmed_up": manifest.options.get("warmed_up", True),
        "verified_tokens": manifest.verification.tokens,
        "first_difference": manifest.verification.first_difference,
        "decode": manifest.model.get("decode", "eager"),
        "batch_frames": manifest.model.get("batch_frames", False),
        "missing_stages": manifest.model.get("missing_stages", {}),
        "samples": len(manifest.samples),
        "seed": manifest.seed,
        "software": manifest.software,
    }

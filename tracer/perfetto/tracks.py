"""The tracks that are added to a trace: stages, idle times, counters and findings, as the text of their events."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.charge.stages.called import named_stages
from tracer.document.names import ALL_STAGES
from tracer.document.summary import StageMemory
from tracer.findings.registry import findings
from tracer.perfetto.counters import bins, busy_share, highest, in_flight
from tracer.perfetto.events import OURS, Thread, counter, instant, slices, text
from tracer.perfetto.gaps import CAUSES, gaps
from tracer.perfetto.spans import device_spans, nested

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.arrays import I64
    from tracer.charge.memory import DeviceLine
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.document.summary import Finding, Summary
    from tracer.perfetto.events import Process
    from tracer.perfetto.spans import DeviceSpans
    from tracer.summarize import Charged

# Tracks of one device.
STAGES, IDLE, FINDINGS = "stages", "idle", "findings"
# So many slices are made at once: a trace may have millions of gaps.
AT_ONCE = 1 << 14
# Findings stand apart by this share of the window, so that each can be seen and clicked.
APART = 200
_CAUSE_KEYS = ("host_ns", "sync_ns", "launch_ns", "unknown_ns", "between_ns")


def tracks(
    summary: Summary, charged: Charged, lines: Sequence[DeviceLine] = (), process: Process = OURS
) -> Iterator[str]:
    """The events, each as `events` describes.

    Nothing is drawn that rests on what was launched and not recorded: no times of a run that lost some of its work, no
    gap in which that may have run, and no share of time.

    Args:
        summary: of the trace.
        charged: what it was made of.
        lines: the memory of devices, where it was recorded.
        process: the process that they are threads of.
    """
    work, ranges, missing = charged.work, charged.ranges, charged.lost
    lost = missing.of_ranges(len(ranges)).tolist()
    yield from process.names()
    devices = distinct(work.device)
    spans = device_spans(work, missing.in_gap)
    labels = stage_labels(ranges)
    for place, device in enumerate(devices):
        number = f" {device}" if len(devices) > 1 else ""
        yield from _stages(Thread(f"{STAGES}{number}", 1 + 2 * place, process), spans, device, ranges, labels, lost)
        if work.on_device:
            rows = int64(np.flatnonzero(work.device == device))
            known = rows[~missing.in_gap[rows]] if len(missing) else rows
            yield from _idle(Thread(f"{IDLE}{number}", 2 + 2 * place, process), work, known, labels)
            yield from _counters(number, work, rows, process, whole=not len(missing))
    yield from _memory(lines, process) if lines else _peaks(summary, ranges, process)
    yield from _findings(Thread(FINDINGS, 1 + 2 * len(devices), process), summary, spans, ranges)


def stage_labels(ranges: StageRanges) -> list[str]:
    """What each run of a stage is called: `vision`, `decode#17`; where several models work in it `draft/prefill`."""
    names, codes = named_stages(ranges)
    called = zip(codes.tolist(), ranges.index.tolist(), strict=True)
    return [names[code] if index < 0 else f"{names[code]}#{index}" for code, index in called]


def _stages(
    thread: Thread, spans: DeviceSpans, device: int, ranges: StageRanges, labels: list[str], lost: list[int]
) -> Iterator[str]:
    yield from thread.names()
    own = np.flatnonzero(spans.device == device)
    parts = list(nested(spans.start_ns[own], spans.end_ns[own]))
    rows = own[[part.span for part in parts]].tolist() if parts else []
    stages = spans.stage[rows].tolist() if parts else []
    args = [
        text(_figures(spans, row, ranges, lost) if not part.number else _of(ranges, stage) | {"part": part.number + 1})
        for part, row, stage in zip(parts, rows, stages, strict=True)
    ]
    starts, ends = int64([part.start_ns for part in parts]), int64([part.end_ns for part in parts])
    yield from slices(thread, [text(labels[stage]) for stage in stages], starts, ends, args)


def _of(ranges: StageRanges, stage: int) -> dict[str, Any]:
    found: dict[str, Any] = {"stage": ALL_STAGES[ranges.stage[stage]]}
    if ranges.request[stage] >= 0:
        found["request"] = int(ranges.request[stage])
    if ranges.index[stage] >= 0:
        found["token"] = int(ranges.index[stage])
    return found


def _figures(spans: DeviceSpans, row: int, ranges: StageRanges, lost: list[int]) -> dict[str, Any]:
    """What the summary says of a run, as far as it ran on this device."""
    if missing := lost[int(spans.stage[row])]:
        return _of(ranges, int(spans.stage[row])) | {"ops": int(spans.ops[row]), "launches_not_recorded": missing}
    idle = {key: int(getattr(spans, key)[row]) for key in _CAUSE_KEYS[:4]}
    idle = {} if spans.doubtful[row] else {"idle_ns": sum(idle.values()), **idle}
    return _of(ranges, int(spans.stage[row])) | {
        "ops": int(spans.ops[row]),
        "device_time_ns": int(spans.time_ns[row]),
        "busy_ns": int(spans.busy_ns[row]),
        **idle,
        "span_ns": int(spans.end_ns[row] - spans.start_ns[row]),
    }


def _idle(thread: Thread, work: Work, rows: I64, labels: list[str]) -> Iterator[str]:
    yield from thread.names()
    found = gaps(work, rows)
    causes = [text(cause) for cause in CAUSES]
    before = [f', "before": {text(label)}}}' for label in labels] + ["}"]  # the last is of what belongs to no stage
    for low in range(0, len(found), AT_ONCE):
        high = low + AT_ONCE
        names = [causes[cause] for cause in found.cause[low:high].tolist()]
        figures = [
            "{" + ", ".join([f'"{key}": {value}' for key, value in zip(_CAUSE_KEYS, values, strict=True) if value])
            for values in found.causes_ns[low:high].tolist()
        ]
        stages = work.stage[found.row[low:high]].tolist()
        args = [own + before[stage] for own, stage in zip(figures, stages, strict=True)]
        yield from slices(thread, names, found.start_ns[low:high], found.end_ns[low:high], args)


def _counters(number: str, work: Work, rows: I64, process: Process, *, whole: bool) -> Iterator[str]:
    edges = bins(int(work.start_ns[rows].min()), int(work.end_ns[rows].max()))
    if whole:
        yield from counter(f"busy share{number}", "%", edges[:-1], busy_share(work, rows, edges), process)
    yield from counter(f"launches{number}", "in flight", edges[:-1], in_flight(work, rows, edges), process)


def _memory(lines: Sequence[DeviceLine], process: Process) -> Iterator[str]:
    for line in lines:
        number = f" {line.device}" if len(lines) > 1 else ""
        yield from counter(f"memory allocated{number}", "bytes", *highest(line.time_ns, line.total_bytes), process)


def _peaks(summary: Summary, ranges: StageRanges, process: Process) -> Iterator[str]:
    """The most that is allocated in each stage, by the counters of the pass without a profiler."""
    peaks = {one.stage: one.memory.peak_bytes for one in summary.stages if isinstance(one.memory, StageMemory)}
    if not peaks:
        return
    # Of neighbours that have the same peak, as decode steps, the first says it.
    order = np.argsort(ranges.start_ns, kind="stable")
    values = [peaks.get(ALL_STAGES[stage], -1) for stage in ranges.stage[order].tolist()]
    pairs = zip([-1, *values], values, strict=False)
    kept = [place for place, (before, value) in enumerate(pairs) if value >= 0 and value != before]
    yield from counter(
        "memory peak by stage", "bytes", int64(ranges.start_ns[order][kept]), [values[place] for place in kept], process
    )


def _findings(thread: Thread, summary: Summary, spans: DeviceSpans, ranges: StageRanges) -> Iterator[str]:
    """A finding stands where what it is about begins, or where the work does; several one behind another."""
    yield from thread.names()
    apart = max(1, (summary.window.end_ns - summary.window.start_ns) // APART)
    places = sorted(
        ((_place(one, summary, spans, ranges), number) for number, one in enumerate(summary.findings)),
    )
    free = summary.window.start_ns
    for place, number in places:
        time = max(place, free)
        free = time + apart
        yield instant(thread, summary.findings[number].id, time, _explained(summary.findings[number]))


def _place(finding: Finding, summary: Summary, spans: DeviceSpans, ranges: StageRanges) -> int:
    """Where the stage begins that a finding is about; where the work does if it is about none."""
    stage = finding.evidence.get("stage")
    if not isinstance(stage, str) or stage not in ALL_STAGES:
        return summary.window.start_ns
    own = ranges.stage[spans.stage] == ALL_STAGES.index(stage)
    return int(spans.start_ns[own].min()) if own.any() else summary.window.start_ns


def _explained(finding: Finding) -> dict[str, Any]:
    known = findings().get(finding.id)
    said = {
        "severity": finding.severity,
        "message": finding.message,
        "rule": finding.rule,
        "why": known.FINDING.reason if known is not None else "",
        "do": finding.next_step,
    }
    if finding.gain is not None:
        gain = finding.gain
        said["gain"] = (
            f"{'up to ' if gain.at_most else ''}{gain.time_ns} ns of {gain.of_ns} ns ({gain.of}): {gain.basis}"
        )
    return {key: value for key, value in said.items() if value} | _flat(finding.evidence, "evidence")


def _flat(value: Any, name: str) -> dict[str, Any]:
    """Figures under dotted names; lists as text."""
    if isinstance(value, dict):
        return {key: one for part, inner in value.items() for key, one in _flat(inner, f"{name}.{part}").items()}
    if isinstance(value, float) and not isfinite(value):
        return {name: str(value)}  # JSON has no such number
    return {name: value if isinstance(value, str | int | float) or value is None else str(value)}

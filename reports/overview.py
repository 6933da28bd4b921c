"""A summary in sections, the short form for a pull request: run, stages, latency, findings, gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.comparison import gates as gate_section
from reports.palette import NONE
from reports.sections import Column, Row, Section
from reports.units import duration, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.comparison import Gate
    from tracer.document.summary import Latency, Statistic, Summary

SEVERITIES = {"error": "bad", "warning": "bad", "info": ""}


def sections(summary: Summary, gates: Sequence[Gate] = ()) -> list[Section]:
    """The report, with the budgets that the run was held to."""
    found = [_run(summary), _stages(summary)]
    if summary.latency is not None:
        found.append(_latency(summary.latency))
    found += [_findings(summary), gate_section(gates)]
    return [section for section in found if section.rows or section.lead]


def _run(summary: Summary) -> Section:
    run, trace, device = summary.run or {}, summary.trace, summary.device
    columns = [
        Column("file", right=False, named=True),
        Column("run", right=False, named=True),
        Column("device time"),
        Column("busy"),
        Column("idle"),
    ]
    title = f"{run['model']} {run['size'] or ''}, {run['dtype']} on {run['device']}" if run else trace.producer
    times = [duration(device.time_ns), duration(device.busy_ns), duration(device.idle_ns)]
    notes = ["No device work in this trace: charged by operator self time."] if device.kind == "cpu" else []
    return Section(
        columns=columns,
        rows=[Row([trace.path, title, *times])],
        notes=notes,
        warnings=[*trace.warnings, *trace.choices],
    )


def _stages(summary: Summary) -> Section:
    columns = [
        Column("stage", right=False),
        *map(Column, ("calls", "host", "device", "share", "busy", "idle", "kernels")),
    ]
    whole_ns = summary.device.time_ns
    rows = [
        Row(
            [
                stage.stage,
                f"{stage.calls:,}",
                duration(stage.cpu_ns),
                duration(stage.device_time_ns),
                share(stage.device_time_ns, whole_ns),
                duration(stage.busy_ns),
                duration(stage.idle_ns),
                f"{stage.ops:,}",
            ]
        )
        for stage in summary.stages
    ]
    rest = summary.device.unattributed
    if rest.ops:
        times = [duration(rest.time_ns), share(rest.time_ns, whole_ns), duration(rest.busy_ns), duration(rest.idle_ns)]
        rows.append(Row(["no stage", NONE, NONE, *times, f"{rest.ops:,}"]))
    return Section("stages", columns=columns, rows=rows)


def _latency(latency: Latency) -> Section:
    columns = [Column("", right=False), *map(Column, ("p50", "mean", "95 % interval", "p95"))]
    rows = [
        Row(
            [
                {"ttft": "TTFT", "tpot": "TPOT"}.get(one.of, one.of),
                duration(one.p50_ns),
                duration(one.mean_ns),
                _interval(one),
                duration(one.p95_ns),
            ]
        )
        for one in latency.statistics
    ]
    note = f"{latency.requests} requests without a profiler; the interval is of the mean, by bootstrap over them."
    return Section("latency", columns=columns, rows=rows, notes=[note])


def _interval(one: Statistic) -> str:
    if one.low_ns is None or one.high_ns is None:
        return NONE
    return f"{duration(one.low_ns)} to {duration(one.high_ns)}"


def _findings(summary: Summary) -> Section:
    columns = [Column("", right=False), Column("finding", right=False)]
    rows = [Row([finding.id, finding.message], SEVERITIES.get(finding.severity, "")) for finding in summary.findings]
    return Section("findings", columns=columns, rows=rows)

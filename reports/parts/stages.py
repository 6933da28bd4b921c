"""The stages: how often each ran, on the host and on the device, and its share of the device time.

How to read the table is a part of its own (`reading`), behind what to do first: that is what people look for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Bar, Block, Column, Role, Row, Sentence, Table, block, note
from reports.palette import NONE
from reports.parts import first
from reports.parts.words import UNKNOWN, known, lost_of, on_cpu
from reports.units import counted, duration, share
from tracer.document.words import listed, runs_of

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Stage, Summary

ON_HOST = ("stage", "calls", "host")


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row a stage, and one for what belongs to none."""
    if not summary.stages:
        return None
    rest_ns = summary.device.unattributed.time_ns
    times = [stage.whole_time_ns for stage in summary.stages]
    # Of a whole that is not known there are no shares.
    whole_ns = 0 if None in times or lost_of(summary) is not None else sum(time_ns or 0 for time_ns in times) + rest_ns
    shown = [stage for stage in summary.stages if asked.shows(stage.stage)]
    rows = [_row(stage, whole_ns) for stage in shown]
    marks: list[Role] = ["caution" if stage.device_time_ns is None else "" for stage in shown]
    rest = summary.device.unattributed
    if rest.ops and asked.stage is None:
        busy, idle = duration(rest.busy_ns), known(rest.idle_ns)
        drawn = _share(rest.time_ns, whole_ns)
        rows.append(["no stage", "", "", duration(rest.time_ns), drawn, busy, idle, f"{rest.ops:,}"])
    between_ns = summary.device.between.idle_ns
    if between_ns and asked.stage is None:
        rows.append(["between", "", "", "", Bar("", 0, whole_ns), "", duration(between_ns), ""])
    columns = _columns(summary)
    kept = [i for i, column in enumerate(columns) if summary.device.ops or column.name in ON_HOST]
    marks += [""] * (len(rows) - len(marks))
    drawn_rows = [Row([row[i] for i in kept], mark) for row, mark in zip(rows, marks, strict=True)]
    return block("", Table([columns[i] for i in kept], drawn_rows, ruled=True))


def reading(summary: Summary, asked: Asked) -> Block | None:
    """What its columns mean, and which work is in no stage."""
    if not summary.stages:
        return None
    said = note(*_meaning(summary), _unknown(summary), _scaled(summary), _between(summary), _outside(summary))
    return block("", said if said.sentences else None, close=first.part(summary, asked) is None)


def _columns(summary: Summary) -> list[Column]:
    return [
        Column("stage", right=False),
        Column("calls", rank=4),
        Column("host", rank=3),
        Column("self" if on_cpu(summary) else "device"),
        Column("share", right=False),
        Column("busy", rank=1),
        Column("idle", rank=2),
        Column("ops" if on_cpu(summary) else "kernels", rank=5),
    ]


def _row(stage: Stage, whole_ns: int) -> list[str | Bar]:
    times = [stage.device_time_ns, stage.busy_ns, stage.idle_ns]
    device, busy, idle = [known(time_ns) if stage.ops or time_ns is None else NONE for time_ns in times]
    drawn = _share(stage.whole_time_ns or 0, whole_ns)
    ops = f"{stage.ops:,}" if stage.device_time_ns is not None else UNKNOWN
    return [stage.stage, f"{stage.calls:,}", duration(stage.cpu_ns), device, drawn, busy, idle, ops]


def _unknown(summary: Summary) -> str:
    """What is unknown of which stage."""
    if lost_of(summary) is None:
        return ""
    lost = [stage.stage for stage in summary.stages if stage.device_time_ns is None]
    idle = [stage.stage for stage in summary.stages if stage.device_time_ns is not None and stage.idle_ns is None]
    said = [f"unknown: launches of {listed(lost)} lack device ops."] if lost else []
    said += [f"Of {listed(idle)} the idle time is unknown, as their work may have run in it."] if idle else []
    return " ".join(said)


def _share(time_ns: int, whole_ns: int) -> Bar:
    return Bar(share(time_ns, whole_ns), time_ns, whole_ns)


def _meaning(summary: Summary) -> list[str | Sentence]:
    host = Sentence("host", "host: the ranges on the CPU.")
    if not summary.device.ops:
        return [host]
    if on_cpu(summary):
        idle = "idle: time between operators, charged to the stage of the operator that ends it."
        return [host, "self, busy: operators' own time.", Sentence("idle", idle)]
    return [
        host,
        "device: kernel durations added up.",
        Sentence("busy", "busy: time in which any of them ran."),
        Sentence("idle", "idle: gaps, charged to the stage of the op that ends them."),
    ]


def _between(summary: Summary) -> str:
    if not summary.device.between.idle_ns:
        return ""
    return "between: idle while no stage and no request was open on any thread: nobody's."


def _scaled(summary: Summary) -> str:
    """Which shares are of more than was recorded."""
    parts = [
        f"{stage.stage}'s by {stage.scale:.3g} ({stage.runs:,} of {stage.of_runs:,} {runs_of(stage.stage)} recorded)"
        for stage in summary.stages
        if stage.scale > 1
    ]
    return f"share: of whole requests, so scaled: {', '.join(parts)}." if parts else ""


def _outside(summary: Summary) -> str:
    rest, whole_ns = summary.device.unattributed, summary.device.time_ns
    reasons = [
        f"{name.replace('_', ' ')} {duration(reason.time_ns)} ({counted(reason.ops, 'op')})"
        for name, reason in rest.reasons.items()
        if reason.ops
    ]
    recorded = "" if lost_of(summary) is None else "recorded "
    if reasons:
        of = "of what was recorded" if recorded else share(rest.time_ns, whole_ns)
        return f"In no stage: {of}: {', '.join(reasons)}."
    return f"Every {recorded}op belongs to a stage." if whole_ns else ""

"""The annotations of a trace that has no stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Sentence, Table, block, note
from reports.palette import NONE
from reports.parts.words import UNKNOWN, known, on_cpu
from reports.units import counted, duration, share
from tracer.document.summary import LostOps

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import RangeRow, Summary

TOP = 15
UNBOUNDED = 1 << 62
PROJECTED = "Projected, kernels: as nsys stats has them; spans with gaps, and nested ranges of one name add up."


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row a name, most device time first."""
    if summary.stages or not summary.ranges:
        return None
    top = asked.top or TOP
    columns = _columns(summary)
    shown = sorted(summary.ranges, key=lambda row: asked.key(row.name, row.ops or 0, _most(row)))[:top]
    rows = [_row(row, summary)[: len(columns)] for row in shown]
    more = len(summary.ranges) - top
    lacking = sum(isinstance(row.lost, LostOps) for row in shown)
    asked_by = "beginning" if on_cpu(summary) else "launch"
    says = note(
        f"{'Operators' if on_cpu(summary) else 'Device ops'} by the ranges around their {asked_by}; an op counts for "
        "every range that encloses it.",
        Sentence("host", "host: the ranges on the CPU."),
        None if on_cpu(summary) else Sentence("projected", PROJECTED),
        f"unknown: launches inside {'it' if lacking == 1 else 'them'} lack device ops." if lacking else "",
        _unlaunched(summary),
        _elsewhere(summary),
        f"{counted(more, 'more name')}: --top {len(summary.ranges)}." if more > 0 else "",
    )
    return block("ranges", Table(columns, [Row(row) for row in rows]), says)


def _unlaunched(summary: Summary) -> str:
    """What lies in no range because nothing says when it was launched."""
    found = summary.device.unattributed.reasons["no_launch_record"]
    ops = f"{counted(found.ops, 'op')}, {duration(found.time_ns)}"
    if found.ops and found.ops == summary.device.ops:
        return f"unknown: of no op the launch was recorded ({ops})."
    return f"In none, because their launch was not recorded: {ops}." if found.ops else ""


def _elsewhere(summary: Summary) -> str:
    """What no range can hold, because its thread has none."""
    found = summary.rangeless
    if found is None:
        return ""
    where = "a thread" if found.threads == 1 else f"{found.threads:,} threads"
    ops = f"{found.ops:,} of {counted(found.of_ops, 'op')} ({duration(found.device_time_ns)})"
    return (
        f"{ops} {'was' if found.of_ops == 1 else 'were'} launched on {where} without ranges: in none of these; "
        "record_function there, or the profiler's profile_all_threads, records some."
    )


def _most(row: RangeRow) -> int:
    """What a row is sorted by: its device time, which may be the most where it is unknown."""
    return UNBOUNDED if row.device_time_ns is None else row.device_time_ns


def _columns(summary: Summary) -> list[Column]:
    columns = [
        Column("name", right=False, named=True),
        Column("count", rank=1),
        Column("host", rank=3),
        Column("ops", rank=2),
        Column("self" if on_cpu(summary) else "device"),
        Column("share"),
    ]
    return columns if on_cpu(summary) else [*columns, Column("projected", rank=4), Column("kernels", rank=4)]


def _row(row: RangeRow, summary: Summary) -> list[str]:
    return [
        row.name,
        f"{row.count:,}",
        duration(row.cpu_ns),
        UNKNOWN if row.ops is None else f"{row.ops:,}",
        known(row.device_time_ns),
        NONE if row.device_time_ns is None else share(row.device_time_ns, summary.device.time_ns),
        known(row.projected_ns),
        known(row.kernel_ns),
    ]

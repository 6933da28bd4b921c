"""The annotations of a trace that has no stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Sentence, Table, block, note
from reports.parts.words import on_cpu
from reports.units import counted, duration, share

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Summary

TOP = 15


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row a name, most device time first."""
    if summary.stages or not summary.ranges:
        return None
    columns = [
        Column("name", right=False, named=True),
        *map(Column, ("count", "ops", "device", "share")),
        Column("projected", rank=1),
        Column("kernels", rank=1),
    ]
    top = asked.top or TOP
    whole_ns = 0 if on_cpu(summary) else summary.device.time_ns
    rows = [
        Row(
            [
                row.name,
                f"{row.count:,}",
                f"{row.ops:,}",
                duration(row.device_time_ns),
                share(row.device_time_ns, whole_ns),
                duration(row.projected_ns),
                duration(row.kernel_ns),
            ]
        )
        for row in summary.ranges[:top]
    ]
    lost = summary.device.unattributed.reasons["no_launch_record"]
    more = len(summary.ranges) - top
    says = note(
        "Device ops by the ranges around their launch; an op counts for every range that encloses it.",
        Sentence(
            "projected",
            "Projected, kernels: as nsys stats has them; spans with gaps, and nested ranges of one name add up.",
        ),
        f"In none, because their launch was not recorded: {counted(lost.ops, 'op')}, {duration(lost.time_ns)}."
        if lost.ops
        else "",
        f"{counted(more, 'more name')}: --top {len(summary.ranges)}." if more > 0 else "",
    )
    return block("ranges", Table(columns, rows), says)

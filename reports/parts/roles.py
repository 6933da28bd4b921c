"""Which of several models works in a stage, where a stage is of more than one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block
from reports.palette import NONE
from reports.parts.words import known
from reports.units import duration

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Summary


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row for each stage of each model."""
    if max(Counter(row.stage for row in summary.roles).values(), default=0) < 2:
        return None
    columns = [
        Column("model", right=False, named=True),
        Column("stage", right=False),
        Column("calls", rank=2),
        Column("host", rank=1),
        Column("device"),
        Column("busy"),
        Column("idle"),
    ]
    rows = [
        Row(
            [
                row.role or NONE,
                row.stage,
                f"{row.calls:,}",
                duration(row.cpu_ns),
                known(row.device_time_ns),
                known(row.busy_ns),
                known(row.idle_ns),
            ]
        )
        for row in summary.roles
        if asked.shows(row.stage)
    ]
    return block("stages by model", Table(columns, rows, ruled=True))

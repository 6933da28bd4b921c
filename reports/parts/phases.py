"""The phases that a serving engine has ranges for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.parts.words import UNKNOWN, known
from reports.units import duration

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Summary


def part(summary: Summary, _: Asked) -> Block | None:
    """A row a phase."""
    rows = summary.serving.phases if summary.serving is not None else []
    if not rows:
        return None
    columns = [
        Column("phase", right=False, named=True),
        Column("count", rank=1),
        Column("host"),
        Column("ops", rank=2),
        Column("device"),
    ]
    cells = [
        Row(
            [
                row.name,
                f"{row.count:,}",
                duration(row.cpu_ns),
                UNKNOWN if row.ops is None else f"{row.ops:,}",
                known(row.device_time_ns),
            ]
        )
        for row in rows
    ]
    says = note("By the engine's own ranges, with what was launched inside, in whatever stage.")
    return block("phases of the steps", Table(columns, cells), says)

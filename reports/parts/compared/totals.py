"""Whole traces beside each other, where they have no stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.palette import NONE
from reports.units import duration

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.comparison import Comparison, Pair, Total

COUNTS = ("ops", "operators")


def part(_: Comparison, pair: Pair, __: Asked) -> Block | None:
    """A row a figure."""
    if not pair.totals:
        return None
    columns = [Column("", right=False), Column(pair.baseline), Column(pair.other), Column("ratio")]
    says = "Of everything that each trace recorded, however long that was; nothing is tested."
    title = f"whole traces, {pair.other} against {pair.baseline}"
    return block(title, Table(columns, [_row(total) for total in pair.totals]), note(says))


def _row(total: Total) -> Row:
    sides = [
        NONE if value is None else f"{value:,}" if total.of in COUNTS else duration(value)
        for value in (total.before, total.after)
    ]
    return Row([total.of, *sides, NONE if total.ratio is None else f"× {total.ratio:.3f}"])

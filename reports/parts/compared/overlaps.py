"""How many decode steps of one run would fit into the prefill of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.units import duration

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.comparison import Comparison, Pair


def part(_: Comparison, pair: Pair, __: Asked) -> Block | None:
    """A row for either direction."""
    if not pair.overlaps:
        return None
    columns = [
        Column("prefill of", right=False),
        Column("takes"),
        Column("steps of"),
        Column("take"),
        Column("fit"),
    ]
    rows = [
        Row([one.prefill_of, duration(one.prefill_ns), one.steps_of, duration(one.step_ns), f"{one.steps:,}"])
        for one in pair.overlaps
    ]
    says = "How many whole decode steps of one would pass while the other is in prefill; nothing was run side by side."
    return block(f"overlap windows, {pair.baseline} and {pair.other}", Table(columns, rows), note(says))

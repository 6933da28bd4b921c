"""In which options two recordings differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block
from reports.palette import NONE

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.comparison import Comparison, Pair


def part(_: Comparison, pair: Pair, __: Asked) -> Block | None:
    """A row an option."""
    if not pair.options:
        return None
    columns = [
        Column("option", right=False, named=True),
        Column(pair.baseline, right=False, named=True),
        Column(pair.other, right=False, named=True),
    ]
    rows = [Row([option.name, option.before or NONE, option.after or NONE]) for option in pair.options]
    return block(f"what {pair.other} was recorded with otherwise than {pair.baseline}", Table(columns, rows))

"""Tables of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table as Grid
from rich.text import Text

from reports.blocks import Bar
from reports.palette import COLOURS
from reports.units import bar, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.blocks import Row, Table

# By rank: terminals narrower than this leave the column out.
WIDTHS = (0, 78, 100)
PADDING = 2
LEAST_NAME = 8
LEAST_RANGE = 12
STYLES = {"": "", "strong": "bold", "dim": "dim", "good": "bold green", "bad": "bold red", "caution": "yellow"}


def shown(table: Table, width: int) -> list[int]:
    """The columns that a terminal has room for."""
    return [i for i, column in enumerate(table.columns) if width >= WIDTHS[column.rank]]


def grid(table: Table, columns: Sequence[int], width: int) -> Grid:
    """The table with these of its columns."""
    heads = any(column.name for column in table.columns)
    drawn = Grid(
        box=SIMPLE_HEAD if table.ruled else None,
        show_edge=False,
        pad_edge=False,
        padding=(0, 0, 0, 1) if table.ruled else (0, 1),
        header_style="bold",
        show_header=heads,
        width=width if table.filled else None,
    )
    given = _given(table, columns, width)
    for i in columns:
        column = table.columns[i]
        drawn.add_column(
            Text(printable(column.name), style=COLOURS.get(column.name, "")),
            justify="right" if column.right else "left",
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
            max_width=given.get(i),
            ratio=1 if table.filled and column.named else None,
        )
    bars = max(4, min(24, width - 72))
    for row in table.rows:
        drawn.add_row(*[_cell(row, i, bars) for i in columns])
    return drawn


def _given(table: Table, columns: Sequence[int], width: int) -> dict[int, int]:
    """The width of each column of names: they give way to figures, the longest first."""
    natural = {
        i: max(len(text) for text in (table.columns[i].name, *[printable(_text(row.cells[i])) for row in table.rows]))
        for i in columns
    }
    room = width - PADDING * (len(columns) - 1)
    given: dict[int, int] = {}
    for left, i in enumerate(sorted(columns, key=lambda i: (table.columns[i].named, natural[i]))):
        wide = natural[i]
        if table.columns[i].named:
            most = max(LEAST_NAME, room // (len(columns) - left))
            if table.keeps:
                most = max(LEAST_RANGE, width - table.keeps * left)
            given[i] = wide = min(wide, most)
        room -= wide
    return given


def _text(cell: str | Bar) -> str:
    return cell.text if isinstance(cell, Bar) else cell


def _cell(row: Row, number: int, bars: int) -> Text:
    stage = _text(row.cells[0])
    cell = row.cells[number]
    if isinstance(cell, Bar):
        drawn = Text(bar(cell.part, cell.whole, bars), style=COLOURS.get(stage, ""))
        return Text.assemble(drawn, f"{printable(cell.text):>7}")
    return Text(printable(cell), style=STYLES[row.mark] or (COLOURS.get(cell, "") if number == 0 else ""))

"""Tables of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table as Grid
from rich.text import Text

from reports.blocks import Bar
from reports.palette import COLOURS
from reports.render.fit import FIGURE, text
from reports.render.names import shortened
from reports.render.ties import untied
from reports.units import bar, printable

if TYPE_CHECKING:
    from reports.blocks import Row, Table
    from reports.render.fit import Fit

STYLES = {"": "", "strong": "bold", "dim": "dim", "good": "bold green", "bad": "bold red", "caution": "yellow"}


def grid(table: Table, laid: Fit) -> Grid:
    """The table, laid out."""
    drawn = Grid(
        box=SIMPLE_HEAD if table.ruled else None,
        show_edge=False,
        pad_edge=False,
        padding=(0, 0, 0, 1) if table.ruled else (0, 1),
        header_style="bold",
        show_header=any(column.name for column in table.columns),
    )
    for i, width in laid.widths.items():
        column = table.columns[i]
        drawn.add_column(
            Text(printable(column.name), style=COLOURS.get(column.name, "")),
            justify="right" if column.right else "left",
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
            width=width,
        )
    cells = [_column(table, i, laid) for i in laid.widths]
    for row in zip(*cells, strict=True):
        drawn.add_row(*row)
    return drawn


def _column(table: Table, column: int, laid: Fit) -> list[Text]:
    said = [text(row.cells[column]) for row in table.rows]
    if table.columns[column].named:
        said = shortened(said, laid.widths[column])
    return [_cell(row, column, short, laid) for row, short in zip(table.rows, said, strict=True)]


def _cell(row: Row, column: int, said: str, laid: Fit) -> Text:
    cell = row.cells[column]
    if isinstance(cell, Bar):
        drawn = Text(bar(cell.part, cell.whole, laid.bar), style=COLOURS.get(untied(text(row.cells[0])), ""))
        return Text.assemble(drawn, f"{said:>{FIGURE}}")
    return Text(said, style=STYLES[row.mark] or (COLOURS.get(untied(said), "") if column == 0 else ""))

"""A report as tables with a heading each, before it is text for a terminal or Markdown."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports.palette import COLOURS
from reports.units import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.text import Colours

# Narrower terminals leave out the columns that can be spared.
WIDE = 78
PADDING = 2
LEAST_NAME = 8
STYLES = {"": "", "bad": "bold red", "good": "bold green", "dim": "dim"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: its heading.
        right: whether figures are set to the right.
        spare: whether narrow terminals can do without it.
        named: whether it holds names from files, which are untrusted and may be long.
    """

    name: str
    right: bool = True
    spare: bool = False
    named: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Cells, one for each column; `mark` is "", "bad", "good" or "dim"."""

    cells: list[str]
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One heading with what is under it.

    Attributes:
        title: the heading; "" for none.
        lead: what to know first.
        columns, rows: the table; none without columns.
        notes: how to read it.
        warnings: what to be careful about; untrusted like names.
    """

    title: str = ""
    lead: list[str] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def render(sections: Sequence[Section], *, width: int = 80, colours: str | None = None) -> str:
    """Text of `width` columns, with colours where a colour system is given."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        color_system=cast("Colours | None", colours),
        force_terminal=colours is not None,
        highlight=False,
        legacy_windows=False,
    )
    for number, section in enumerate(sections):
        if number:
            console.print()
        if section.title:
            console.print(Text(section.title, style="bold"))
        for line in section.lead:
            console.print(Text(printable(line)))
        if section.rows:
            console.print(_table(section, width))
        for line in section.notes:
            console.print(Text(printable(line), style="dim"))
        for line in section.warnings:
            console.print(Text(f"note: {printable(line)}", style="yellow"))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _table(section: Section, width: int) -> Table:
    shown = [i for i, column in enumerate(section.columns) if width >= WIDE or not column.spare]
    natural = {
        i: max(len(section.columns[i].name), *[len(printable(row.cells[i])) for row in section.rows]) for i in shown
    }
    # Names give way to figures, the longest first.
    room = width - PADDING * len(shown) + PADDING
    given: dict[int, int] = {}
    for left, i in enumerate(sorted(shown, key=lambda i: (section.columns[i].named, natural[i]))):
        named = section.columns[i].named
        given[i] = min(natural[i], max(LEAST_NAME, room // (len(shown) - left))) if named else natural[i]
        room -= given[i]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, PADDING, 0, 0))
    for i in shown:
        column = section.columns[i]
        table.add_column(
            Text(column.name),
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=given[i],
        )
    for row in section.rows:
        table.add_row(*[_cell(row, i) for i in shown])
    return table


def _cell(row: Row, column: int) -> Text:
    text = printable(row.cells[column])
    style = STYLES[row.mark] or (COLOURS.get(text, "") if column == 0 else "")
    return Text(text, style=style)

"""Blocks as a person reads them in a terminal; plain when the output is none."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, cast

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from reports.blocks import Caution, Curve, Item, Line, Note, Table
from reports.palette import COLOURS
from reports.render.fit import fit
from reports.render.tables import grid
from reports.render.ties import tied, untied
from reports.units import sparkline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal

    from rich.console import RenderableType

    from reports.blocks import Block

    Colours = Literal["auto", "standard", "256", "truecolor", "windows"]

STYLES = {"": "", "strong": "bold", "dim": "dim", "good": "green", "bad": "red", "caution": "yellow"}
SEVERITIES = {"info": ("•", "bold"), "warning": ("▲", "bold yellow"), "error": ("✖", "bold red")}
# What stands beside a curve: the words, and its first and last value.
BESIDE_CURVE = 34


def render(blocks: Sequence[Block], *, width: int = 80, colours: str | None = None) -> str:
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
    left_out: set[str] = set()
    for number, block in enumerate(blocks):
        if number and not block.close:
            console.print()
        for piece in _drawn(block, width, left_out):
            console.print(piece)
    return "\n".join(line.rstrip() for line in untied(file.getvalue()).splitlines()) + "\n"


def _drawn(block: Block, width: int, left_out: set[str]) -> Iterator[RenderableType]:
    """Its pieces; `left_out` are the columns that the last tables went without, of which later notes say nothing."""
    if block.title:
        yield Text(tied(block.title), style="bold")
    if any(isinstance(element, Table) for element in block.elements):
        left_out.clear()
    for element in block.elements:
        match element:
            case Table(rows=[]):
                pass
            case Table():
                laid = fit(element, width)
                spared = [column.name for i, column in enumerate(element.columns) if i not in laid.widths]
                left_out |= set(spared)
                yield grid(element, laid)
                if spared:
                    yield Text(f"left out for want of room: {tied(', '.join(spared))}", style="dim")
            case Note():
                yield Text(tied(element.text(left_out)), style="dim")
            case Line():
                pieces = [(tied(piece.text), STYLES[piece.role]) for piece in element.pieces]
                yield Text.assemble(*pieces, style=STYLES[element.role])
            case Curve():
                yield _curve(element, width)
            case Caution():
                yield Text(f"{element.label}: {tied(element.text)}", style="yellow")
            case Item():
                yield _item(element)


def _curve(curve: Curve, width: int) -> Text:
    drawn = sparkline(curve.values, min(len(curve.values), width - BESIDE_CURVE))
    return Text.assemble(
        f"{curve.since} {curve.first} ", (drawn, COLOURS.get(curve.stage, "")), f" {curve.until} {curve.last}"
    )


def _item(item: Item) -> Grid:
    mark, style = SEVERITIES.get(item.severity, SEVERITIES["info"])
    hanging = Grid.grid(padding=(0, 1))
    hanging.add_column(width=1)
    hanging.add_column(ratio=1)
    name = f"  [{tied(item.name)}]" if item.name else ""
    said = (tied(item.text), style if item.severity == "error" else "")
    hanging.add_row(Text(mark, style=style), Text.assemble(said, (name, "dim")))
    if item.more:
        hanging.add_row("", Text(tied(item.more), style="dim"))
    return hanging

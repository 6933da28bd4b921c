"""Blocks as a fragment of HTML: headings, tables and words, in which nothing from a file is markup.

No element has a style of its own and no handler: a page that holds them can forbid both. How to read figures is folded
away until it is asked for.
"""

from __future__ import annotations

from html import escape as references
from typing import TYPE_CHECKING

from reports.blocks import Bar, Caution, Curve, Item, Line, Note, Table
from reports.palette import COLOURS
from reports.units import highest, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.blocks import Block, Column, Element, Piece, Row

SEVERITIES = {"info": "•", "warning": "▲", "error": "✖"}
LONGEST_CURVE = 60
NOTE = "what these figures mean"


def escape(text: str) -> str:
    """Text that is text alone, between tags and in attributes; controls, also those of direction, are spelled out."""
    return references(printable(text), quote=True)


def name(text: str) -> str:
    """A name from a file; its letters may run from right to left, and must not turn their surroundings."""
    return f"<bdi>{escape(text)}</bdi>"


def stage_class(text: str) -> str:
    """The class that gives a stage its colour; "" of what is none."""
    return f"stage-{text.replace(' ', '-')}" if text in COLOURS else ""


def render(blocks: Sequence[Block], *, heading: str) -> str:
    """All blocks under one heading."""
    return f"<h2>{escape(heading)}</h2>\n" + "\n".join(map(block, blocks)) + "\n"


def block(block: Block) -> str:
    """One block; how to read it comes last."""
    title = f"<h3>{escape(block.title)}</h3>" if block.title else ""
    ordered = sorted(block.elements, key=lambda element: isinstance(element, Note))
    return f'<div class="block">{title}{"".join(map(_drawn, ordered))}</div>'


def _drawn(element: Element) -> str:
    match element:
        case Table():
            return _table(element)
        case Line():
            return f"<p{_class(element.role)}>{''.join(map(_piece, element.pieces))}</p>"
        case Curve():
            return _curve(element)
        case Note():
            return note(element.text())
        case Caution():
            return f'<p class="caution">{escape(element.label)}: {escape(element.text)}</p>'
        case Item():
            more = f' <span class="more">{escape(element.more)}</span>' if element.more else ""
            known = f' <span class="id">{escape(element.name)}</span>' if element.name else ""
            mark = SEVERITIES.get(element.severity, SEVERITIES["info"])
            return f'<p class="item">{mark} {escape(element.text)}{known}{more}</p>'


def _curve(curve: Curve) -> str:
    """Bars of percentages, which fit any width; each is the highest of the values that it stands for."""
    peaks = highest(curve.values, min(len(curve.values), LONGEST_CURVE))
    low, high = min(curve.values, default=0), max(curve.values, default=0)
    wide = 100 / max(len(peaks), 1)
    bars = ""
    for place, peak in enumerate(peaks):
        tall = 12 + 88 * ((peak - low) / (high - low) if high > low else 0)
        bars += f'<rect x="{place * wide:.2f}%" width="{wide * 0.8:.2f}%" y="{100 - tall:.1f}%" height="{tall:.1f}%"/>'
    drawn = (
        f'<svg class="curve fill {stage_class(curve.stage)}" width="280" height="18" aria-hidden="true">{bars}</svg>'
    )
    return f"<p>{curve.since} {escape(curve.first)} {drawn} {curve.until} {escape(curve.last)}</p>"


def note(text: str) -> str:
    """How to read something, folded away."""
    return f'<details class="note"><summary>{NOTE}</summary><p>{escape(text)}</p></details>'


def _class(*names: str) -> str:
    said = " ".join(filter(None, names))
    return f' class="{said}"' if said else ""


def _piece(piece: Piece) -> str:
    if piece.named:
        return name(piece.text)
    return f"<span{_class(piece.role)}>{escape(piece.text)}</span>" if piece.role else escape(piece.text)


def _table(table: Table) -> str:
    if not table.rows:
        return ""
    heads = "".join(f'<th scope="col"{_class(_kind(column))}>{escape(column.name)}</th>' for column in table.columns)
    headed = f"<thead><tr>{heads}</tr></thead>" if any(column.name for column in table.columns) else ""
    rows = "".join(_row(row, table.columns) for row in table.rows)
    return f'<div class="wide"><table>{headed}<tbody>{rows}</tbody></table></div>'


def _kind(column: Column) -> str:
    return "number" if column.right else "named" if column.named else "wraps" if column.wraps else ""


def _row(row: Row, columns: Sequence[Column]) -> str:
    first = row.cells[0]
    stage = stage_class(first.text if isinstance(first, Bar) else first)
    cells = [_cell(cell, column, stage) for cell, column in zip(row.cells, columns, strict=True)]
    return f"<tr{_class(row.mark, stage)}>{''.join(cells)}</tr>"


def _cell(cell: str | Bar, column: Column, stage: str) -> str:
    if isinstance(cell, Bar):
        share = max(0.0, min(1.0, cell.part / cell.whole)) if cell.whole else 0.0
        bar = f'<rect width="{share:.2%}" height="100%"{_class("fill", stage)}/>'
        drawn = f'<svg class="bar" width="110" height="11" aria-hidden="true">{bar}</svg>'
        return f'<td class="barred">{drawn}<span>{escape(cell.text)}</span></td>'
    said = name(cell) if column.named else escape(cell)
    return f"<td{_class(_kind(column))}>{said}</td>"

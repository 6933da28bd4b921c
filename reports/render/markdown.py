"""Blocks as Markdown, for a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reports.blocks import Bar, Caution, Curve, Item, Line, Note, Table
from reports.units import printable, sparkline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.blocks import Block, Column, Element, Piece, Row

SEVERITIES = {"info": "•", "warning": "▲", "error": "✖"}
LONGEST_CURVE = 60

# Everything else that is ASCII may mean something to Markdown or HTML; so do the dots and colons of addresses.
_SPECIAL = re.compile(r"""[^\w .,;:()/+=%'?"-]|_|:(?=/)|(?<=www)\.""", re.ASCII | re.IGNORECASE)
# GitHub turns these into links to people and issues however they are spelled; a joiner of no width keeps it from that.
_LINKING = "@#"
_JOINER = "&#8288;"


def _reference(match: re.Match[str]) -> str:
    char = match[0]
    if not char.isascii():
        return char
    return f"&#{ord(char)};{_JOINER if char in _LINKING else ''}"


def escape(text: str) -> str:
    """Text in which nothing is a table's border, markup, HTML or a link."""
    return _SPECIAL.sub(_reference, printable(text))


def name(text: str) -> str:
    """A name from a file, set as code, in which GitHub also links and mentions nothing.

    Character references keep backticks and pipes from ending it, which no backslash does inside a code span.
    """
    return f"<code>{escape(text)}</code>" if text else ""


def render(blocks: Sequence[Block], *, heading: str) -> str:
    """All blocks under one heading; how to read them is set small and comes last."""
    lines = [f"## {escape(heading)}"]
    for block in blocks:
        if block.title:
            lines += ["", f"### {escape(block.title)}"]
        for element in sorted(block.elements, key=lambda element: isinstance(element, Note)):
            lines += ["", *drawn] if (drawn := _drawn(element)) else []
    return "\n".join(lines) + "\n"


def _drawn(element: Element) -> list[str]:
    match element:
        case Table():
            return _table(element)
        case Line():
            return [_emphasised("".join(map(_piece, element.pieces)), element.role)]
        case Curve():
            drawn = sparkline(element.values, min(len(element.values), LONGEST_CURVE))
            return [f"{element.since} {escape(element.first)} {drawn} {element.until} {escape(element.last)}"]
        case Note():
            return [f"<sub>{escape(element.text())}</sub>"]
        case Caution():
            return [f"> {escape(element.text)}"]
        case Item():
            mark = SEVERITIES.get(element.severity, "•")
            named = f"**{escape(element.name)}**: " if element.name else ""
            return [f"{mark} {named}{escape(element.text)}", *_more(element)]


def _more(item: Item) -> list[str]:
    return [f"<br>{escape(item.more)}"] if item.more else []


def _piece(piece: Piece) -> str:
    return name(piece.text) if piece.named else _emphasised(escape(piece.text), piece.role)


def _emphasised(text: str, role: str) -> str:
    return f"**{text}**" if role == "strong" and text else text


def _table(table: Table) -> list[str]:
    if not table.rows:
        return []
    columns = table.columns
    heads = [escape(column.name) or " " for column in columns]
    bars = {i for row in table.rows for i, cell in enumerate(row.cells) if isinstance(cell, Bar)}
    rules = ["---:" if column.right or i in bars else "---" for i, column in enumerate(columns)]
    rows = [[_cell(row, i, column) for i, column in enumerate(columns)] for row in table.rows]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rules, *rows)]


def _cell(row: Row, number: int, column: Column) -> str:
    cell = row.cells[number]
    text = cell.text if isinstance(cell, Bar) else cell
    if column.named:
        return name(text)
    emphasised = row.mark in ("bad", "good") and number in (0, len(row.cells) - 1)
    return _emphasised(escape(text), "strong" if emphasised else "")

"""Reports as Markdown, for a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reports.units import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.sections import Column, Row, Section

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


def render(sections: Sequence[Section], *, heading: str) -> str:
    """All sections under one heading; how to read them is set small."""
    lines = [f"## {escape(heading)}"]
    for section in sections:
        if section.title:
            lines += ["", f"### {escape(section.title)}"]
        for line in section.lead:
            lines += ["", f"**{escape(line)}**"]
        if section.rows:
            lines += ["", *_table(section)]
        for line in section.warnings:
            lines += ["", f"> {escape(line)}"]
        for line in section.notes:
            lines += ["", f"<sub>{escape(line)}</sub>"]
    return "\n".join(lines) + "\n"


def _table(section: Section) -> list[str]:
    columns = section.columns
    heads = [escape(column.name) or " " for column in columns]
    rules = ["---:" if column.right else "---" for column in columns]
    rows = [[_cell(row, i, column) for i, column in enumerate(columns)] for row in section.rows]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rules, *rows)]


def _cell(row: Row, number: int, column: Column) -> str:
    text = name(row.cells[number]) if column.named else escape(row.cells[number])
    emphasised = row.mark in ("bad", "good") and not column.named and number in (0, len(row.cells) - 1)
    return f"**{text}**" if emphasised and text else text

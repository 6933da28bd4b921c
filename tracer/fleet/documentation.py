"""The page's part that says what each table, column and question means, made from them.

python -m tracer.fleet.documentation docs/fleet.md  writes it behind the page's own text.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tracer.fleet.columns import TABLES
from tracer.fleet.question import questions

if TYPE_CHECKING:
    from collections.abc import Iterator

# From here on the page is made.
HEAD = "## The tables\n"


def page(text: str) -> str:
    """The page with its own text and what is made."""
    return f"{text.partition(HEAD)[0]}{HEAD}\n" + "\n".join([*_tables(), *_questions()])


def _tables() -> Iterator[str]:
    for name, table in TABLES.items():
        yield f"### {name}\n\nA row is {table.meaning}. Key: {', '.join(f'`{key}`' for key in table.key)}.\n"
        yield "| column | type | what it is |\n|---|---|---|"
        yield from (f"| `{column.name}` | {column.type} | {column.meaning} |" for column in table.columns)
        yield ""


def _questions() -> Iterator[str]:
    yield "## The ready questions\n"
    yield "As JSON: `tracer.fleet/1`, with `question`, `between`, `columns`, `rows`, `abstained` and `notes`.\n"
    for name, question in sorted(questions().items()):
        yield f"### {name}\n\n{question.meaning[0].upper()}{question.meaning[1:]}.\n"
        yield "| key | kind | what it is |\n|---|---|---|"
        yield from (f"| `{column.name}` | {column.kind} | {column.meaning} |" for column in question.columns)
        yield ""


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(page(path.read_text()))

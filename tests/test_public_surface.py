"""What other programs and people rely on: the names of Python, the command line and the documents."""

from __future__ import annotations

from pathlib import Path

import msgspec
from support.surface import keys, surface

WRITTEN = (Path(__file__).parent / "data/public_surface.txt").read_text()


def _named(text: str) -> set[str]:
    """Each line under its section's title."""
    sections = (block.splitlines() for block in text.split("\n\n"))
    return {f"{title} {line}" for title, *lines in sections for line in lines}


def test_nothing_that_was_published_is_gone_or_means_something_else() -> None:
    assert _named(WRITTEN) - _named(surface()) == set(), "somebody relies on these: keep them, or raise the schema"


def test_what_is_published_is_written_down() -> None:
    assert _named(surface()) - _named(WRITTEN) == set(), "if they are meant to be published: make surface"
    assert surface() == WRITTEN


def test_every_key_of_a_document_is_a_line_with_what_stands_there() -> None:
    inner = msgspec.defstruct("inner", [("time_ns", int | None), ("note", str, "")])
    outer = msgspec.defstruct("outer", [("schema_", str), ("by_name", dict[str, inner]), ("rows", list[float], [])])
    renamed = msgspec.defstruct("renamed", [("schema_", str), ("all", outer | None)], rename={"schema_": "schema"})
    assert list(keys(renamed)) == [
        "schema: text",
        "all: object or null",
        "all.schema_: text",
        "all.by_name.*: object",
        "all.by_name.*.time_ns: integer or null",
        "all.by_name.*.note?: text",
        "all.rows[]?: number",
    ]

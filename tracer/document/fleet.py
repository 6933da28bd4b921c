"""The answer to a question about many traces."""

from __future__ import annotations

from typing import Any

import msgspec

from tracer.document.summary.abstained import Abstained

SCHEMA = "tracer.fleet/1"
# What a value of a column is, by which a report sets it.
NAME, COUNT, TIME, SHARE, FACTOR, CHANCE = "name", "count", "time", "share", "factor", "chance"


class AnswerColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column.

    Attributes:
        name: the key of each row.
        kind: "name", "count", "time" (nanoseconds), "share", "factor" (after over before) or "chance" (a p-value).
        meaning: in words.
        heading: over the column of a report; "" for its name.
    """

    name: str
    kind: str
    meaning: str
    heading: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename={"schema_": "schema"}):
    """The whole document.

    Attributes:
        schema_: `SCHEMA`.
        question: its name.
        between: the two sides, where two are compared; as given.
        columns: what the rows have; where a report has no room, the last go first.
        rows: by column; null is unknown.
        abstained: what could not be judged, why, and what to do.
        notes: how to read the rows, in sentences.
    """

    schema_: str
    question: str
    between: list[str]
    columns: list[AnswerColumn]
    rows: list[dict[str, Any]]
    abstained: list[Abstained]
    notes: list[str]


def encode(answer: Answer) -> bytes:
    """The document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(answer), indent=2) + b"\n"

"""What a file of the folder `questions` is: a ready question, as its `QUESTION`."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import tracer.fleet.questions as folder
from tracer.document.errors import UsageError
from tracer.document.fleet import SCHEMA, Answer
from tracer.fleet.columns import TABLES
from tracer.tables.sql import query

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import date

    from tracer.document.fleet import AnswerColumn
    from tracer.document.summary import Abstained
    from tracer.fleet.sides import Side
    from tracer.fleet.store import Store


@dataclass(frozen=True, slots=True)
class Found:
    """What a question finds: rows by column, what it could not judge, and how to read the rows."""

    rows: list[dict[str, Any]]
    abstained: list[Abstained] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A ready question.

    Attributes:
        name: by which it is asked.
        meaning: what it asks, in a sentence without its end.
        columns: of its answer.
        compares: whether it takes two sides.
        answer: of a store and the sides.
    """

    name: str
    meaning: str
    columns: tuple[AnswerColumn, ...]
    compares: bool
    answer: Callable[[Store, tuple[Side, ...]], Found]


@cache
def questions() -> dict[str, Question]:
    """All that there are, by name."""
    found = (import_module(f"{folder.__name__}.{one.name}").QUESTION for one in pkgutil.iter_modules(folder.__path__))
    return {question.name: question for question in found}


def ask(store: Store, question: Question, sides: tuple[Side, ...]) -> Answer:
    """The answer of a store to a ready question.

    Raises:
        UsageError: the question takes two sides and has none, or the other way round.
    """
    if question.compares and not sides:
        raise UsageError(
            f"{question.name} compares two sides: --between 2026-11-26 2026-11-27, or --between KEY=A KEY=B"
        )
    if sides and not question.compares:
        raise UsageError(f"--between: {question.name} compares nothing")
    found = question.answer(store, sides)
    return Answer(
        schema_=SCHEMA,
        question=question.name,
        between=[side.text for side in sides],
        columns=list(question.columns),
        rows=found.rows,
        abstained=found.abstained,
        notes=found.notes,
    )


def select(store: Store, sql: str, days: Collection[date] | None = None) -> Any:
    """The answer to a question in SQL as a `pyarrow.Table`; nothing but the store's tables is in reach.

    Args:
        store: asked.
        sql: one query.
        days: whose rows there are; None for all.

    Raises:
        MissingError: DuckDB or pyarrow is not installed.
        UsageError: it is not one query, or not of what there is.
    """
    return query(sql, lambda names: {name: store.scanned(name, days) for name in names}, names=TABLES)

"""The answer to a question about many traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.blocks import Block, Column, Row, Table, line, note
from reports.palette import NONE
from reports.units import duration, percent
from tracer.document.fleet import CHANCE, COUNT, FACTOR, NAME, SHARE, TIME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.document.fleet import Answer

SHOWN = 40
MARKS = {"slower": "bad", "appeared": "bad", "faster": "good", "vanished": "good"}


def part(answer: Answer, top: int | None = None) -> Block:
    """The rows as a table, those of columns that say nothing left out; and what could not be judged."""
    title = answer.question + (f" between {' and '.join(answer.between)}" if answer.between else "")
    return Block(title, tuple(_elements(answer, top or SHOWN)))


def _elements(answer: Answer, most: int) -> Iterator[Any]:
    shown = answer.rows[:most]
    columns = [one for one in answer.columns if any(row.get(one.name) is not None for row in shown)]
    if shown:
        table = [
            Column(one.heading or one.name, right=one.kind != NAME, named=one.kind == NAME, rank=place)
            for place, one in enumerate(columns)
        ]
        rows = [Row([_cell(row.get(one.name), one.kind) for one in columns], _mark(row)) for row in shown]
        yield Table(table, rows, ruled=True)
    else:
        yield line("nothing to show")
    more = len(answer.rows) - len(shown)
    yield note(*answer.notes, f"{more:,} more rows: --top, or --format json." if more else None)
    for one in answer.abstained:
        yield line(f"{one.what}: {one.because}", role="caution")


def _mark(row: dict[str, Any]) -> Any:
    return MARKS.get(row.get("verdict", ""), "")


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return NONE
    if kind == TIME:
        return duration(value)
    if kind == SHARE:
        return percent(value, signed=False)
    if kind == FACTOR:
        return f"{value:.3f}"
    if kind == CHANCE:
        return f"{value:.2g}"
    return f"{value:,}" if kind == COUNT else str(value)

"""What the steps of a serving engine held, and which of them are steady."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Element, Row, Sentence, Table, block, line, note
from reports.palette import NONE
from reports.parts.words import kind, lost_of
from reports.units import counted, duration

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Held, Spread, SteadyPart, Summary

COUNTS = ("prompts", "prompt_tokens", "sequences", "new_tokens", "kv_tokens")
MEANS = {
    "prompts": "prompts: requests whose prompt is processed.",
    "tokens": "tokens: of these prompts.",
    "sequences": "sequences: requests that decode.",
    "new tokens": "new tokens: computed for them.",
    "KV tokens": "KV tokens: in all caches that attention reads.",
    "a token": "a token: {} time of the steps over all tokens computed.",
}
OF_RECORDED = "Steps that lack device ops count in all but a token."


def part(summary: Summary, _: Asked) -> Block | None:
    """A row a stage."""
    found = summary.serving
    if found is None:
        return None
    return block(
        "what the steps held",
        *_steady(found.steady),
        *_batches([row for row in found.held if _told(row)], summary),
    )


def _told(row: Held) -> bool:
    return any(getattr(row, name) is not None for name in (*COUNTS, "tokens"))


def _steady(part: SteadyPart | None) -> list[Element]:
    if part is None:
        return []
    left = f"{counted(part.ops_left_out, 'device op')}, {duration(part.time_left_out_ns)}"
    text = (
        f"steady part: {counted(part.steps, 'step')} of about {counted(part.batch, 'sequence')}; left out "
        f"{part.before:,} before and {part.after:,} behind ({left})"
    )
    return [line(text, role="strong"), note(f"steady: {part.rule}.")]


def _batches(rows: list[Held], summary: Summary) -> list[Element]:
    if not rows:
        return []
    columns = [
        Column("stage", right=False),
        Column("steps"),
        Column("prompts", rank=3),
        Column("tokens", rank=2),
        Column("sequences"),
        Column("new tokens", rank=4),
        Column("KV tokens", rank=1),
        Column("a token", rank=5),
    ]
    cells = [
        [
            row.stage,
            f"{row.steps:,}",
            *[_spread(getattr(row, name)) for name in COUNTS],
            NONE if row.ns_per_token is None else duration(row.ns_per_token),
        ]
        for row in rows
    ]
    # What no step says has no column.
    told = [i for i in range(len(columns)) if any(row[i] != NONE for row in cells)]
    says = note(
        "Of the median step, by the engine's labels, with the lowest and the highest where they differ.",
        *[
            Sentence(columns[i].name, MEANS[columns[i].name].format(kind(summary)))
            for i in told
            if columns[i].name in MEANS
        ],
        OF_RECORDED if lost_of(summary) is not None and any(row.ns_per_token is not None for row in rows) else "",
    )
    return [Table([columns[i] for i in told], [Row([row[i] for i in told]) for row in cells]), says]


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return NONE
    median = f"{spread.median:,.0f}" if spread.median == round(spread.median) else f"{spread.median:,.1f}"
    return median if spread.low == spread.high else f"{median} ({spread.low:,}–{spread.high:,})"

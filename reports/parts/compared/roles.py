"""Several models beside each other, stage by stage, and the rounds of speculative decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.palette import NONE
from reports.units import duration
from tracer.document.comparison import ROUND_COUNTS

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.comparison import Comparison, Pair, Total


def part(_: Comparison, pair: Pair, asked: Asked) -> Block | None:
    """A row for each stage of each model, and for each figure of a round."""
    if not pair.roles and not pair.speculation:
        return None
    sides = [Column(pair.baseline), Column(pair.other), Column("ratio")]
    rows = [
        Row([row.role, row.stage, _time(row.before_ns), _time(row.after_ns), _ratio(row.ratio)])
        for row in pair.roles
        if asked.shows(row.stage)
    ]
    models = Table([Column("model", right=False, named=True), Column("stage", right=False), *sides], rows)
    rounds = Table([Column("a round", right=False), *sides], [_row(total) for total in pair.speculation])
    return block(
        f"models, {pair.other} against {pair.baseline}",
        models if rows else None,
        rounds if pair.speculation else None,
        note(
            "One call of each stage, busy and idle time as charged, in the traces, under the profiler; untested.",
            "Counts are of all rounds, times of one on average, of a token of those that rounds yielded."
            if pair.speculation
            else None,
        ),
    )


def _row(total: Total) -> Row:
    if total.of in ROUND_COUNTS:
        sides = [NONE if value is None else f"{value:,}" for value in (total.before, total.after)]
    else:
        sides = [_time(total.before), _time(total.after)]
    return Row([total.of, *sides, _ratio(total.ratio)])


def _time(time_ns: float | None) -> str:
    return NONE if time_ns is None else duration(time_ns)


def _ratio(ratio: float | None) -> str:
    return NONE if ratio is None else f"× {ratio:.3f}"

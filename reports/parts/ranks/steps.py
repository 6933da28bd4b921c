"""Which rank was the last in which runs of a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block
from reports.parts.ranks.stragglers import OUTSIDE
from reports.units import duration

if TYPE_CHECKING:
    from tracer.document.ranks import Ranks


def part(ranks: Ranks) -> Block | None:
    """A row for each stage and rank that was last in any of its runs; every run is in the document."""
    found: dict[tuple[str, int], list[int]] = {}
    runs: dict[str, int] = {}
    for step in ranks.steps:
        runs[step.stage] = runs.get(step.stage, 0) + 1
        if step.critical_rank is not None:
            found.setdefault((step.stage, step.critical_rank), []).append(step.late_ns)
    columns = [Column("stage", right=False), Column("rank"), Column("runs"), Column("late a run")]
    rows = []
    for (stage, rank), late in found.items():
        cells = [
            stage or OUTSIDE,
            f"{rank}",
            f"{len(late):,} of {runs[stage]:,}",
            duration(sorted(late)[len(late) // 2]),
        ]
        rows.append(Row(cells))
    return block("the last to arrive", Table(columns, rows)) if rows else None

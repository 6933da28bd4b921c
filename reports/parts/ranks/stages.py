"""Rank by stage: what is waiting, what is transfer, and what nothing hides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Sentence, Table, block, note
from reports.parts.ranks.stragglers import OUTSIDE
from reports.units import duration

if TYPE_CHECKING:
    from tracer.document.ranks import Ranks


def part(ranks: Ranks) -> Block | None:
    """A row for each stage on each rank, stage by stage."""
    stages = list(dict.fromkeys(row.stage for rank in ranks.ranks for row in rank.stages))
    unmatched = any(row.unmatched_ns for rank in ranks.ranks for row in rank.stages)
    columns = [
        Column("stage", right=False),
        Column("rank"),
        Column("device"),
        Column("own", rank=2),
        Column("wait"),
        Column("transfer", rank=1),
        *([Column("unmatched", rank=3)] if unmatched else []),
        Column("exposed", rank=4),
        Column("late", rank=5),
    ]
    rows = []
    for stage in stages:
        for rank in ranks.ranks:
            for row in rank.stages:
                if row.stage != stage:
                    continue
                own_ns = row.device_time_ns - row.collective_ns
                times = [row.device_time_ns, own_ns, row.wait_ns, row.transfer_ns]
                times += [row.unmatched_ns] if unmatched else []
                times += [row.exposed_ns, row.late_ns]
                rows.append(Row([stage or OUTSIDE, f"{rank.rank}", *map(duration, times)]))
    says = note(
        "wait: in collectives, until the last rank arrived; transfer: after that.",
        Sentence("own", "own: device time without collectives."),
        Sentence("exposed", "exposed: collectives while nothing else ran on the device."),
        Sentence("late", "late: added up, what others' devices waited for this rank alone."),
    )
    return block("ranks", Table(columns, rows, ruled=True), says) if rows else None

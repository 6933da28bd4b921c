"""Rank by stage: what is waiting, what is transfer, and what nothing hides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Sentence, Table, block, note
from reports.parts.ranks.stragglers import OUTSIDE, UNKNOWN, on_cpu
from reports.units import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tracer.document.ranks import Ranks, RankStage


ON_CPU = "own: operators of the threads that ask for collectives; these are gloo's ranges, on its own threads."
# Of more ranks than that a table says nothing to a person.
MANY = 16


def part(ranks: Ranks) -> Block | None:
    """A row for each stage on each rank, stage by stage; of many ranks those that tell."""
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
    every = [row for rank in ranks.ranks for row in rank.stages]
    most_others, lost = 0, any(row.lost for row in every)
    apart = any(row.wait_ns is None and not row.lost for row in every)
    for stage in stages:
        own = {rank.rank: row for rank in ranks.ranks for row in rank.stages if row.stage == stage}
        shown = telling(own) if len(own) > MANY else list(own)
        rows += [_row(stage, f"{rank}", _times(own[rank], unmatched=unmatched)) for rank in shown]
        others = [_times(own[rank], unmatched=unmatched) for rank in own if rank not in shown]
        most_others = max(most_others, len(others))
        if others:
            middle = [_middle(column) for column in zip(*others, strict=True)]
            rows.append(_row(stage, f"{len(others):,} more", middle))
    says = note(
        "wait: in collectives, until the last rank arrived; transfer: after that.",
        Sentence("own", ON_CPU if on_cpu(ranks) else "own: device time without collectives."),
        Sentence("exposed", "exposed: collectives while nothing else ran on the device."),
        Sentence("late", "late: added up, what others' devices waited for this rank alone."),
        *(["unknown: launches of it have no device op on that rank."] if lost else []),
        *(["unknown, beside a known device time: of its collectives there none was matched."] if apart else []),
        *(["more: the medians of the others, all of which --format json has."] if most_others else []),
    )
    return block("ranks", Table(columns, rows, ruled=True), says) if rows else None


def _middle(times: Iterable[int | None]) -> int | None:
    """The lower middle one of those that are known."""
    known = sorted(time_ns for time_ns in times if time_ns is not None)
    return known[(len(known) - 1) // 2] if known else None


def telling(rows: Mapping[int, RankStage]) -> list[int]:
    """Of many ranks those that are worth a row: the latest, those that wait longest, and those with most work."""
    late = sorted((rank for rank in rows if rows[rank].late_ns), key=lambda rank: -(rows[rank].late_ns or 0))
    waiting = sorted(rows, key=lambda rank: -(rows[rank].wait_ns or 0))
    working = sorted(rows, key=lambda rank: -(rows[rank].own_ns or 0))
    return sorted({*late[:4], *waiting[:2], *working[:2], *[rank for rank, row in rows.items() if row.lost][:2]})


def _times(row: RankStage, *, unmatched: bool) -> list[int | None]:
    times = [row.device_time_ns, row.own_ns, row.wait_ns, row.transfer_ns]
    return [*times, *([row.unmatched_ns] if unmatched else []), row.exposed_ns, row.late_ns]


def _row(stage: str, rank: str, times: list[int | None]) -> Row:
    return Row([stage or OUTSIDE, rank, *[UNKNOWN if time_ns is None else duration(time_ns) for time_ns in times]])

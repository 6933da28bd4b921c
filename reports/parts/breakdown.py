"""Device time by stage and something else, the largest of each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.parts.words import kind, lost_of, on_cpu
from reports.units import counted, duration, share, short_kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.asked import Asked
    from tracer.document.summary import BreakdownRow, Summary

TOP = 12


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row a name, under its stage."""
    found = summary.breakdown
    if found is None or found.by == "host":
        return None
    columns = [
        Column("stage", right=False),
        Column(found.by, right=False, named=True),
        *map(Column, ("ops", "self" if on_cpu(summary) else "device", "share")),
    ]
    shorter = short_kernels(row.name for row in found.rows)
    top = asked.top or TOP
    rows = []
    seen: dict[str, int] = {}
    for row in _sorted(found.rows, asked):
        seen[row.stage] = seen.get(row.stage, 0) + 1
        if seen[row.stage] > top:
            continue
        stage = (row.stage or "no stage") if seen[row.stage] == 1 else ""
        name = shorter[row.name] if found.by == "kernel" else row.name
        times = [duration(row.device_time_ns), share(row.device_time_ns, summary.device.time_ns)]
        rows.append(Row([stage, name, f"{row.ops:,}", *times]))
    more = sum(max(0, count - top) for count in seen.values())
    wrong = counted(found.wrong_external_ids, "External id names", "External ids name")
    says = note(
        found.meaning,
        f"share: of all {kind(summary)} time.",
        "Of what was recorded: see above for what was not." if lost_of(summary) is not None else "",
        "graph replay: its kernels were launched when the graph was captured, nobody knows from where."
        if any(row.name == "graph replay" for row in found.rows)
        else "",
        f"Of {counted(found.by_external_id, 'op')} no operator was open there: theirs is the one of their External id."
        if found.by_external_id
        else "",
        f"{wrong} an operator that was over, or not begun, by then." if found.wrong_external_ids else "",
        f"{counted(more, 'more row')}: --top {max(seen.values())}." if more else "",
    )
    return block("", Table(columns, rows), says)


def _sorted(rows: Sequence[BreakdownRow], asked: Asked) -> list[BreakdownRow]:
    """Those of the stages that are shown, stage by stage as they stand."""
    order = {row.stage: place for place, row in reversed(list(enumerate(rows)))}
    shown = [row for row in rows if asked.shows(row.stage)]
    return sorted(shown, key=lambda row: (order[row.stage], *asked.key(row.name, row.ops, row.device_time_ns)))

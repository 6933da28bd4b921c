"""Device time by stage and something else, the largest of each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Sentence, Table, block, note
from reports.palette import NONE
from reports.parts.words import all_time, lost_of, on_cpu, share_of_all
from reports.units import byte_count, counted, duration, short_kernels
from tracer.document.summary import IN_GRAPHS
from tracer.document.words import runs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.asked import Asked
    from tracer.document.summary import Breakdown, BreakdownRow, Summary

TOP = 12
# How kernels were launched, in wide terminals; grid and block say the most.
LAUNCHED = (
    Column("grid", rank=1),
    Column("block", rank=2),
    Column("regs", rank=4),
    Column("shared", rank=5),
    Column("occup.", rank=3),
)
LAUNCHED_MEANS = (
    Sentence("grid", "grid: blocks; +2 is that two more ways of launching took less time (--format json has them)."),
    Sentence("block", "block: threads."),
    Sentence("regs", "regs: registers of a thread."),
    Sentence("shared", "shared: memory of a block."),
    Sentence("occup.", "occup.: an estimate of the warps held, of those that could be."),
)


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row a name, under its stage."""
    found = summary.breakdown
    if found is None or found.by == "host":
        return None
    launched = any(row.launches for row in found.rows)
    columns = [
        Column("stage", right=False),
        Column(found.by, right=False, named=True),
        *map(Column, ("ops", "self" if on_cpu(summary) else "device", "share")),
        *(LAUNCHED if launched else ()),
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
        times = [duration(row.device_time_ns), share_of_all(row.device_time_ns, summary)]
        rows.append(Row([stage, name, f"{row.ops:,}", *times, *(_launched(row) if launched else ())]))
    more = sum(max(0, count - top) for count in seen.values())
    wrong = counted(found.wrong_external_ids, "External id names", "External ids name")
    says = note(
        found.meaning,
        all_time(summary),
        *(LAUNCHED_MEANS if launched else ()),
        "" if lost_of(summary) is None else _recorded(found),
        *(f"graph replay: {one.reason}; {one.next_step}." for one in summary.abstained if one.what.endswith(IN_GRAPHS)),
        f"Of {counted(found.graph_ops, 'op')} in replayed graphs {found.graph_ops_named:,} go by what launched them "
        "when the graph was captured, or by the compiler's name."
        if found.graph_ops_named
        else "",
        f"Of {counted(found.by_external_id, 'op')} no operator was open there: theirs is the one of their External id."
        if found.by_external_id
        else "",
        f"{wrong} an operator that was over, or not begun, by then." if found.wrong_external_ids else "",
        f"{counted(more, 'more row')}: --top {max(seen.values())}." if more else "",
    )
    return block("", Table(columns, rows), says)


def _recorded(found: Breakdown) -> str:
    """Of what rows are where launches lack their device ops."""
    said = [
        f"{one.stage}: of the {one.runs:,} of {one.of_runs:,} {runs_of(one.stage)} whose work was recorded."
        if one.runs
        else f"{one.stage}: unknown, launches of it lack device ops."
        for one in found.in_part
    ]
    return " ".join(said) or "Of what was recorded: see above for what was not."


def _launched(row: BreakdownRow) -> list[str]:
    """How it was launched, of several ways the one that took the most time."""
    if not row.launches:
        return [""] * len(LAUNCHED)
    most = row.launches[0]
    others = len(row.launches) - 1 + row.launched_otherwise
    return [
        _size(most.grid) + (f" +{others}" if others else ""),
        _size(most.block),
        NONE if most.registers is None else f"{most.registers:,}",
        NONE if most.shared_bytes is None else byte_count(most.shared_bytes),
        NONE if most.occupancy is None else f"{most.occupancy:.0%}",
    ]


def _size(dimensions: tuple[int, int, int] | None) -> str:
    """Without the last dimensions that are 1: 16x4, 128."""
    if dimensions is None:
        return NONE
    length = max([place for place, count in enumerate(dimensions, 1) if count != 1], default=1)
    return "x".join(f"{count}" for count in dimensions[:length])


def _sorted(rows: Sequence[BreakdownRow], asked: Asked) -> list[BreakdownRow]:
    """Those of the stages that are shown, stage by stage as they stand."""
    order = {row.stage: place for place, row in reversed(list(enumerate(rows)))}
    shown = [row for row in rows if asked.shows(row.stage)]
    return sorted(shown, key=lambda row: (order[row.stage], *asked.key(row.name, row.ops, row.device_time_ns)))

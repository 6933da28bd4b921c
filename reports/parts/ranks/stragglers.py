"""Who the others wait for, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, line, note
from reports.units import duration, share, short_kernel
from tracer.document.ranks import CPU

if TYPE_CHECKING:
    from tracer.document.ranks import Ranks, Straggler

OUTSIDE = "no stage"
# Of what was not recorded.
UNKNOWN = "unknown"


def part(ranks: Ranks) -> Block | None:
    """A row for each rank and stage, or that there is none."""
    if not ranks.matched:
        return None
    if not ranks.stragglers:
        least = "by a twentieth of what it takes, nor a host at one place of each by a fiftieth"
        return block("late ranks", line(f"none: no rank is late in most runs of a stage {least}"))
    columns = [
        Column("rank"),
        Column("stage", right=False),
        Column("cause", right=False),
        Column("late a run"),
        Column("of a run", rank=1),
        Column("runs", rank=2),
        Column("late", rank=3),
        Column("where", right=False, rank=4, wraps=True),
    ]
    rows = [
        Row(
            [
                f"{one.rank}",
                one.stage or OUTSIDE,
                one.cause,
                duration(one.pass_ns),
                share(one.pass_ns, one.stage_pass_ns),
                f"{one.passes:,} of {one.of_passes:,}",
                duration(one.late_ns),
                _where(one),
            ],
            "caution",
        )
        for one in ranks.stragglers
    ]
    host, work = ("it comes", "operators") if on_cpu(ranks) else ("it launches", "kernels")
    says = note(
        f"host: {host} later than the others; device: its {work} before a collective are more or slower; network: "
        "its transfers are slower. late a run: the median.",
    )
    return block("late ranks", Table(columns, rows), says)


def on_cpu(ranks: Ranks) -> bool:
    """Whether all ranks ran on CPUs."""
    return all(rank.device == CPU for rank in ranks.ranks)


def _where(one: Straggler) -> str:
    if one.kernels:
        first = one.kernels[0]
        ratio = f"{duration(first.time_ns)} for {duration(first.others_ns)}"
        return f"{short_kernel(first.name)}: {first.count:,} for {first.others_count:,}, {ratio}"
    if one.place is None:
        return ""
    pace = f"; {duration(one.pace_ns // max(one.of_passes, 1))} a run more elsewhere" if one.pace_ns else ""
    return f"before collective {one.place} of a run{pace}"

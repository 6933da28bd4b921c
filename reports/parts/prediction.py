"""A prediction: now and then, stage by stage, and what it assumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, line
from reports.palette import NONE
from reports.units import duration

if TYPE_CHECKING:
    from tracer.document.summary import Prediction


def part(found: Prediction) -> Block | None:
    """A row a stage, the assumptions below."""
    measured = ("measured", "off by") if found.measured_ns is not None else ()
    columns = [Column(found.of, right=False), *map(Column, ("now", "then", "change", *measured))]
    rows = [Row([row.stage, *_times(row.now_ns, row.then_ns, row.measured_ns)]) for row in found.stages]
    rows.append(Row(["in all", *_times(found.now_ns, found.then_ns, found.measured_ns)], "strong"))
    source = "without a profiler" if found.source == "clean" else "in the trace"
    apart = found.now_ns != sum(row.now_ns for row in found.stages)
    medians = "in all: the median request, to which medians of stages do not add up"
    return block(
        "",
        Table(columns, rows),
        line(medians, role="dim") if apart else None,
        line(f"predicted, not measured; now: as measured {source}. It assumes:", role="dim"),
        *[line(f"• {assumption}") for assumption in found.assumptions],
    )


def _times(now_ns: int, then_ns: int, measured_ns: int | None) -> list[str]:
    texts = [duration(now_ns), duration(then_ns), _change(now_ns, then_ns) if then_ns != now_ns else NONE]
    return texts if measured_ns is None else [*texts, duration(measured_ns), _change(measured_ns, then_ns)]


def _change(from_ns: int, to_ns: int) -> str:
    return f"{(to_ns - from_ns) / from_ns:+.1%}" if from_ns else NONE

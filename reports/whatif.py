"""A prediction as a person reads it in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from reports.palette import COLOURS, NONE
from reports.units import duration, printable

if TYPE_CHECKING:
    from tracer.document.summary import Prediction


def prediction(found: Prediction) -> Group:
    """Now and then, stage by stage, and what the prediction assumes."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column(found.of, no_wrap=True)
    measured = ("measured", "off by") if found.measured_ns is not None else ()
    for heading in ("now", "then", "change", *measured):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in found.stages:
        style = COLOURS.get(row.stage, "white")
        table.add_row(Text(row.stage, style=style), *_times(row.now_ns, row.then_ns, row.measured_ns))
    table.add_row(Text("all stages", style="bold"), *_times(found.now_ns, found.then_ns, found.measured_ns))
    source = "without a profiler" if found.source == "clean" else "in the trace"
    lines = [Text(f"predicted, not measured; now: as measured {source}. It assumes:", style="dim")]
    lines += [Text(f"• {printable(assumption)}") for assumption in found.assumptions]
    return Group(table, *lines)


def _times(now_ns: int, then_ns: int, measured_ns: int | None) -> list[str]:
    texts = [duration(now_ns), duration(then_ns), _change(now_ns, then_ns) if then_ns != now_ns else NONE]
    return texts if measured_ns is None else [*texts, duration(measured_ns), _change(measured_ns, then_ns)]


def _change(from_ns: int, to_ns: int) -> str:
    return f"{(to_ns - from_ns) / from_ns:+.1%}" if from_ns else NONE

"""Kinds of work: device time by what its kernels are, of each stage, or of a trace without stages in all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.parts.words import kind, lost_of
from reports.units import share

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Summary

# What takes less than one part in so many of its stage is left out.
LEAST = 200


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row a stage, its categories by time; without stages one row."""
    if not summary.device.ops:
        return None
    device = summary.device
    of = [(stage.stage, stage.categories, stage.device_time_ns) for stage in summary.stages]
    every = "all" if lost_of(summary) is None else "what was recorded"
    rows = []
    for stage, categories, whole_ns in of or [(every, device.categories, device.time_ns)]:
        if summary.stages and not asked.shows(stage):
            continue
        found = [
            f"{name} {share(time_ns, whole_ns or 0)}"
            for name, time_ns in (categories or {}).items()
            if time_ns * LEAST > (whole_ns or 0)
        ]
        rows += [Row([stage, " · ".join(found)])] if found else []
    if not rows:
        return None
    other = share(summary.device.categories.get("other", 0), summary.device.time_ns)
    columns = [Column("", right=False), Column("", right=False, wraps=True)]
    recorded = "" if lost_of(summary) is None else "recorded "
    says = f"By name; {other} of the {recorded}{kind(summary)} time has a name that says nothing (other)."
    return block(
        "kinds of work",
        Table(columns, rows),
        note(says, "" if asked.saved or not summary.stages else "More: --by kernel."),
    )

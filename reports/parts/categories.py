"""Kinds of work: each stage's device time by what its kernels are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.parts.words import kind
from reports.units import share

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Summary

# What takes less than one part in so many of its stage is left out.
LEAST = 200


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row a stage, its categories by time."""
    if not summary.stages or not summary.device.ops:
        return None
    rows = []
    for stage in filter(lambda one: asked.shows(one.stage), summary.stages):
        whole_ns = stage.device_time_ns
        found = [
            f"{name} {share(time_ns, whole_ns)}"
            for name, time_ns in stage.categories.items()
            if time_ns * LEAST > whole_ns
        ]
        rows += [Row([stage.stage, " · ".join(found)])] if found else []
    if not rows:
        return None
    other = share(summary.device.categories.get("other", 0), summary.device.time_ns)
    columns = [Column("", right=False), Column("", right=False, wraps=True)]
    says = f"By name; {other} of the {kind(summary)} time has a name that says nothing (other)."
    return block("kinds of work", Table(columns, rows), note(says, "" if asked.saved else "More: --by kernel."))

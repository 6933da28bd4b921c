"""The kernels of a trace that has no stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.parts.words import all_time, on_cpu, share_of_all
from reports.units import counted, duration, short_kernels

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Summary

TOP = 12


def part(summary: Summary, asked: Asked) -> Block | None:
    """A row a name, most time first."""
    kernels = summary.device.kernels
    if summary.stages or not kernels:
        return None
    top = asked.top or TOP
    shorter = short_kernels(kernel.name for kernel in kernels)
    columns = [
        Column("name", right=False, named=True),
        Column("count", rank=1),
        Column("self" if on_cpu(summary) else "device"),
        Column("share"),
    ]
    rows = [
        Row(
            [
                shorter[kernel.name],
                f"{kernel.count:,}",
                duration(kernel.time_ns),
                share_of_all(kernel.time_ns, summary),
            ]
        )
        for kernel in kernels[:top]
    ]
    more = len(kernels) - top
    says = note(
        all_time(summary),
        f"{counted(more, 'more name')}: --top {len(kernels)}." if more > 0 else "",
    )
    return block("operators" if on_cpu(summary) else "kernels", Table(columns, rows), says)

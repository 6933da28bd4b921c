"""What bounds a range, and the longest pieces of its critical path."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block
from reports.units import counted, duration, share, short_kernel

if TYPE_CHECKING:
    from tracer.document.critical_path import CriticalPath, PathPiece

LONGEST = 10
# HolisticTraceAnalysis' words for time in which nothing of the path runs.
GAPS = {
    "gpu_kernel_kernel_overhead": ("gaps between kernels", "gap on the device after"),
    "gpu_kernel_launch_overhead": ("gaps between launch and kernel", "gap between launch and start of a kernel"),
}


def bounds(path: CriticalPath) -> Block | None:
    """The path's time by what limits it."""
    times: defaultdict[str, float] = defaultdict(float)
    for one in path.pieces:
        times[one.bound_by] += one.time_us
    whole = sum(times.values())
    rows = [
        Row((GAPS[bound][0] if bound in GAPS else bound.replace("_", " "), duration(us * 1000), share(us, whole)))
        for bound, us in sorted(times.items(), key=lambda item: -item[1])
        if bound
    ]
    columns = (Column("bound by", right=False), Column("time"), Column("share"))
    title = f"the critical path through {path.through}" if path.through else ""
    return block(title, Table(columns, rows) if rows else None)


def longest(path: CriticalPath) -> Block | None:
    """Its longest pieces."""
    most = sorted(path.pieces, key=lambda one: -one.time_us)[:LONGEST]
    rows = [Row((piece(one), duration(one.time_us * 1000))) for one in most]
    columns = (Column("", right=False, named=True), Column(""))
    title = f"longest on the path, of {counted(len(path.pieces), 'piece')}"
    return block(title, Table(columns, rows) if rows else None)


def piece(one: PathPiece) -> str:
    """What a piece is: an operator, a call or a kernel; or a gap, which is named by the kernel before it."""
    name = short_kernel(one.name) if one.name else ""
    if one.bound_by in GAPS:
        return f"{GAPS[one.bound_by][1]} {name}".strip()
    return name or one.kind.replace("_", " ")

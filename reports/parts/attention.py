"""Attention in the steps of a serving engine, under the device's roof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Caution, Column, Row, Sentence, Table, block, note
from reports.palette import NONE
from reports.units import counted, duration, share, significant

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Summary

BOUNDS = {"compute": "arithmetic", "memory": "memory bandwidth"}


def part(summary: Summary, _: Asked) -> Block | None:
    """A row a stage; where there could be one and is none, why."""
    found = summary.serving
    if found is None:
        return None
    rows = found.attention
    if not rows:
        return block("", note(f"No roofline of attention: {found.no_attention}.") if found.no_attention else None)
    columns = [
        Column("stage", right=False),
        Column("takes"),
        Column("FLOP/B", rank=3),
        Column("TFLOP/s", rank=1),
        Column("GB/s", rank=1),
        Column("MFU"),
        Column("MBU"),
        Column("bound by", right=False, rank=2),
    ]
    cells = [
        Row(
            [
                row.stage,
                duration(row.time_ns),
                significant(row.intensity),
                significant(row.tflops),
                significant(row.gbs),
                _part(row.mfu),
                _part(row.mbu),
                BOUNDS.get(row.bound or "", NONE),
            ]
        )
        for row in rows
    ]
    one = rows[0]
    says = note(
        f"At most: as causal attention over whole caches in {counted(one.layers, 'layer')} of "
        f"{counted(one.heads, 'head')} ({one.kv_heads:,} of keys) of size {one.head_size:,} in {one.dtype} would be, "
        "by the labels' sums; a layer with a window does less. takes: attention's kernels in a step.",
        Sentence("MFU", "MFU, MBU: of peak while they ran."),
    )
    unknown = any(row.mfu is None and row.mbu is None and not row.error for row in rows)
    peaks = note("No share of a peak: the device's are unknown, see --peak-tflops and --peak-gbs.") if unknown else None
    errors = [Caution(f"{row.stage}: {row.error}", label="error") for row in rows if row.error]
    return block("attention in the steps", Table(columns, cells), says, peaks, *errors)


def _part(value: float | None) -> str:
    return NONE if value is None else share(value, 1)

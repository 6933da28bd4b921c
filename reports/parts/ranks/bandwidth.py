"""Bus bandwidth by size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.palette import NONE
from reports.units import byte_count, duration, share, significant

if TYPE_CHECKING:
    from tracer.document.ranks import Ranks


def part(ranks: Ranks) -> Block | None:
    """A row a kind and size."""
    if not ranks.bandwidth:
        return None
    columns = [
        Column("collective", right=False, named=True),
        Column("size"),
        Column("ranks", rank=2),
        Column("count", rank=3),
        Column("transfer"),
        Column("bus GB/s"),
        Column("of peak", rank=1),
    ]
    rows = [
        Row(
            [
                one.collective,
                byte_count(one.bytes),
                f"{one.group_size:,}",
                f"{one.count:,}",
                duration(one.transfer_ns),
                significant(one.bus_gbs),
                NONE if one.peak_gbs is None else share(one.bus_gbs, one.peak_gbs),
            ]
        )
        for one in ranks.bandwidth
    ]
    says = note("transfer: the median; bus: as nccl-tests counts it; peak: NVLink in one direction, by its data sheet.")
    return block("bus bandwidth", Table(columns, rows), says)

"""Energy and memory of two runs beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Column, Row, Table, block, note
from reports.palette import NONE
from reports.parts.energy import joules
from reports.units import byte_count

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.comparison import Beside, Comparison, Pair


def part(_: Comparison, pair: Pair, __: Asked) -> Block | None:
    """A row a figure."""
    if not pair.beside:
        return None
    bounds = any(row.low_ratio is not None for row in pair.beside)
    columns = [Column("", right=False), Column(pair.baseline), Column(pair.other), Column("ratio")]
    columns += [Column("bounds", rank=1)] if bounds else []
    says = [
        "Each was measured once: nothing is tested, and what changes from one recording to the next is not known.",
        "bounds: of the ratio, by how well each energy is known." if bounds else "",
        "peak: the most that was allocated in a stage, without a profiler." if _has_bytes(pair) else "",
    ]
    title = f"energy and memory, {pair.other} against {pair.baseline}"
    return block(title, Table(columns, [_row(row, bounds=bounds) for row in pair.beside]), note(*says))


def _has_bytes(pair: Pair) -> bool:
    return any(row.unit == "bytes" for row in pair.beside)


def _row(row: Beside, *, bounds: bool) -> Row:
    shown = byte_count if row.unit == "bytes" else joules
    sides = [NONE if value is None else shown(value) for value in (row.before, row.after)]
    low, high = row.low_ratio, row.high_ratio
    room = NONE if low is None or high is None else f"{low:.3f} – {high:.3f}"
    return Row([row.of, *sides, NONE if row.ratio is None else f"× {row.ratio:.3f}", *([room] if bounds else [])])

"""Columns of integers as few bytes; see `tracer.document.timeline`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.timeline import DELTAS

if TYPE_CHECKING:
    from tracer.arrays import I32, I64

SEVEN = np.uint64(7)
LOW = np.uint64(0x7F)
MORE = np.uint8(0x80)
# Groups of seven bits in 64.
MOST_BYTES = 10


def packed(name: str, values: I64 | I32) -> bytes:
    """A column by its name.

    Args:
        name: says whether differences are packed.
        values: none below zero, unless it is a column of differences.
    """
    column = int64(values)
    return leb128(zigzag(np.diff(column, prepend=0)) if name in DELTAS else column.astype(np.uint64))


def zigzag(values: I64) -> np.ndarray:
    """Signed values as unsigned ones, small where they are near zero."""
    return ((values << 1) ^ (values >> 63)).astype(np.uint64)


def leb128(values: np.ndarray) -> bytes:
    """Unsigned values in groups of seven bits, the lowest first."""
    sizes = np.ones(len(values), dtype=np.int64)
    for group in range(1, MOST_BYTES):
        sizes += values >= np.uint64(1 << (7 * group))
    place = np.cumsum(sizes) - sizes
    out = np.zeros(int(sizes.sum()), dtype=np.uint8)
    rest, left = values, sizes
    while len(rest):
        ends = left == 1
        out[place] = (rest & LOW).astype(np.uint8) | np.where(ends, np.uint8(0), MORE)
        going = ~ends
        rest, left, place = rest[going] >> SEVEN, left[going] - 1, place[going] + 1
    return out.tobytes()

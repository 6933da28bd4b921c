"""Columns of one batch of events in as few bytes as hold them, until those of the whole file are joined.

What a batch has lies close together: its times within seconds, its names and threads among a few hundred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tracer.arrays import int64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.arrays import I64, Bools, Column

_NARROW = (np.uint8, np.uint16, np.uint32)


class Packed(NamedTuple):
    """A column of integers: the smallest, and how far beyond it each one is."""

    low: int
    beyond: Column

    def unpacked(self) -> I64:
        """The column as it was."""
        column = np.empty(len(self.beyond), dtype=np.int64)
        self.into(column)
        return column

    def into(self, column: Column) -> None:
        """Write it into a column of the same length, of a type that holds what it has."""
        column[:] = self.beyond
        column += self.low

    def chosen(self, rows: Bools) -> Packed:
        """Some of its rows."""
        return Packed(self.low, self.beyond[rows])


def pack(column: Column) -> Packed:
    """Pack a column; one whose numbers lie far apart, as where some are MISSING, stays as wide as it is."""
    if not len(column):
        return Packed(0, np.empty(0, dtype=np.uint8))
    low = int(column.min())
    span = int(column.max()) - low
    fits = next((kind for kind in _NARROW if span <= np.iinfo(kind).max), None)
    return Packed(0, int64(column)) if fits is None else Packed(low, (int64(column) - low).astype(fits))


def joined(parts: Sequence[Packed], kind: type[np.int8 | np.int32 | np.int64]) -> Column:
    """These columns behind each other, as numbers of this kind."""
    column = np.empty(sum(len(part.beyond) for part in parts), dtype=kind)
    end = 0
    for part in parts:
        begin, end = end, end + len(part.beyond)
        part.into(column[begin:end])
    return column

"""Neighbours that are too short to be seen apart become one, as far as a track holds more than can be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.arrays import I64

# Cells double from here on, in nanoseconds, until few enough are left.
SMALLEST_CELL_NS = 1024


@dataclass(frozen=True, slots=True)
class Merged:
    """What is drawn.

    Attributes:
        rows: of the things given, the longest of those that each stands for.
        start_ns, end_ns: from the first of them to the last.
        group: of each thing given, which of these it is part of.
    """

    rows: I64
    start_ns: I64
    end_ns: I64
    group: I64

    @property
    def count(self) -> I64:
        """How many things each stands for."""
        return int64(np.bincount(self.group, minlength=len(self.rows)))

    def sum(self, column: I64) -> I64:
        """A column of the things given, added up."""
        total = np.zeros(len(self.rows), dtype=np.int64)
        np.add.at(total, self.group, column)
        return total


def merged(start_ns: I64, end_ns: I64, most: int, apart: Sequence[I64] = ()) -> Merged:
    """Draw things one by one if they are few; else those that are shorter than a cell of time as one for each cell.

    What is as long as a cell is drawn by itself, so the cells' length says which details are lost.

    Args:
        start_ns, end_ns: of each thing, in the order of their start.
        most: to be drawn.
        apart: things that differ in one of these columns are never drawn as one.
    """
    size = len(start_ns)
    if size <= most:
        everything = np.arange(size, dtype=np.int64)
        return Merged(everything, start_ns, end_ns, everything)
    kind = np.zeros(size, dtype=np.int64)
    for column in apart:
        values, value = coded(column)
        _, kind = coded(int64(kind * len(values) + value))
    cell, group = SMALLEST_CELL_NS, np.arange(size, dtype=np.int64)
    origin = int(start_ns.min())
    while int(group.max()) + 1 > most and cell < (1 << 61):
        group = _grouped(start_ns - origin, end_ns - origin, kind, cell)
        cell *= 2
    return _merged(start_ns, end_ns, group)


def _grouped(start_ns: I64, end_ns: I64, kind: I64, cell_ns: int) -> I64:
    """The group of each: its kind and cell; its own where it is as long as a cell."""
    short = end_ns - start_ns < cell_ns
    _, cell = coded(start_ns // cell_ns)
    _, group = coded(int64(cell * (int(kind.max()) + 1) + kind))
    group = group.copy()
    group[~short] = int(group.max()) + 1 + np.arange(int((~short).sum()))
    return coded(group)[1]


def _merged(start_ns: I64, end_ns: I64, group: I64) -> Merged:
    size = int(group.max()) + 1
    first, last = np.full(size, np.iinfo(np.int64).max), np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(first, group, start_ns)
    np.maximum.at(last, group, end_ns)
    order = np.lexsort((start_ns - end_ns, group))  # of each group, the longest first
    rows = order[np.flatnonzero(np.diff(group[order], prepend=-1))]
    by_start = np.lexsort((-last, first))
    place = np.empty(size, dtype=np.int64)
    place[by_start] = np.arange(size)
    return Merged(int64(rows[by_start]), first[by_start], last[by_start], place[group])

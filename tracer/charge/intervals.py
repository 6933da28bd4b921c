"""Interval arithmetic on columns: exact, in integer nanoseconds, intervals half-open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import PLACES, SMALL_RANGE, coded, int32, int64, rows_of_each

if TYPE_CHECKING:
    from tracer.arrays import I32, I64


# So many intervals or times are looked at together: of all at once each step would take as much memory as all of them.
PIECE = 1 << 15
# Around a time so many intervals are looked at one by one; of real traces hardly any lies deeper.
SHALLOW = 64
# So few numbers are sorted out sooner as Python's own.
FEW = 64


def sum_by(keys: I64, values: I64, size: int) -> I64:
    """Sum `values` by key 0..size-1, in integers (np.bincount would go through doubles)."""
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, keys, values)
    return sums


def distinct(values: I64 | I32) -> list[int]:
    """The different values, in order."""
    if len(values) <= FEW:
        return sorted(set(values.tolist()))
    low = int(values.min())
    if (size := int(values.max()) - low + 1) <= min(SMALL_RANGE, PLACES * len(values)):
        occurs = np.zeros(size, dtype=np.bool_)
        occurs[values - low] = True
        return [place + low for place in np.flatnonzero(occurs).tolist()]
    return list(coded(values)[0].tolist())


def grouped(keys: I64 | I32) -> dict[int, I64 | slice]:
    """`rows_of_each`; a slice of all where there is but one key, which takes no memory."""
    if len(keys) and (keys == keys[0]).all():
        return {int(keys[0]): slice(None)}
    return dict(rows_of_each(keys))


def running_end(end_ns: I64) -> I64:
    """The furthest end so far, before each interval: int64 min before the first."""
    reach = np.empty_like(end_ns)
    if len(reach):
        reach[0] = np.iinfo(np.int64).min
        np.maximum.accumulate(end_ns[:-1], out=reach[1:])
    return reach


def outermost(start_ns: I64, end_ns: I64) -> I64:
    """Indices of the intervals that lie inside no other, in the order of their start; of equal ones the first."""
    if (start_ns[1:] > start_ns[:-1]).all() and (end_ns[1:] > end_ns[:-1]).all():
        return np.arange(len(start_ns))
    order = np.lexsort((-end_ns, start_ns))
    return int64(order[end_ns[order] > running_end(end_ns[order])])


@dataclass(frozen=True, slots=True)
class Nest:
    """Intervals that can be asked which innermost one holds a time.

    Innermost is the one that began last; of those that began together, the shortest. The intervals may nest,
    repeat or cross.
    """

    _start: I64
    _end: I64
    _outer: I32
    _index: I32

    @classmethod
    def of(cls, start_ns: I64, end_ns: I64) -> Nest:
        """Prepare intervals for asking."""
        order = np.lexsort((-end_ns, start_ns))
        start, end = start_ns[order], end_ns[order]
        # The nearest earlier interval that ends later: all between are over by the time this one is.
        outer = np.full(len(end), -1, dtype=np.int32)
        stack: list[int] = []
        ends = end.data  # a list of numbers would be five times as large
        for position, reach in enumerate(ends):
            while stack and ends[stack[-1]] <= reach:
                stack.pop()
            if stack:
                outer[position] = stack[-1]
            stack.append(position)
        return cls(start, end, outer, int32(order))

    def innermost(self, times_ns: I64) -> I64:
        """For each time, the index of the innermost interval that holds it, or -1."""
        if not len(self._start):
            return np.full(len(times_ns), -1, dtype=np.int64)
        found = np.searchsorted(self._start, times_ns, side="right") - 1
        pending = np.flatnonzero(found >= 0)
        for _ in range(SHALLOW):
            pending = pending[self._end[found[pending]] <= times_ns[pending]]
            found[pending] = self._outer[found[pending]]
            pending = pending[found[pending] >= 0]
            if not len(pending):
                break
        if len(pending):
            found[pending] = self._far_out(found[pending], times_ns[pending])
        held = found >= 0
        found[held] = self._index[found[held]]
        return int64(found)

    def _far_out(self, place: I64, times_ns: I64) -> I64:
        """Of each place, the nearest around it, or itself, that ends after a time; -1 without one.

        By jumps over two, four, eight and so on around each: what lies a million deep is not walked through.
        """
        jumps = [self._outer]
        while (jumps[-1] >= 0).any():
            jumps.append(np.append(jumps[-1], np.int32(-1))[jumps[-1]])
        over = self._end[place] <= times_ns
        for jump in reversed(jumps):
            to = jump[place]
            place = np.where((to >= 0) & (self._end[to] <= times_ns), to, place)
        return int64(np.where(over, self._outer[place], place))


def _union(start_ns: I64, end_ns: I64) -> tuple[I64, I64]:
    """Start and end of what these intervals cover together, in order; those that touch are one."""
    order = np.argsort(start_ns, kind="stable")
    start, end = start_ns[order], end_ns[order]
    begins = np.flatnonzero(start > running_end(end))
    return start[begins], np.maximum.reduceat(end, begins) if len(begins) else end[:0]


@dataclass(frozen=True, slots=True)
class Cover:
    """The union of intervals, and how much of it lies before a time."""

    start_ns: I64
    end_ns: I64
    _before: I64

    @classmethod
    def of(cls, start_ns: I64, end_ns: I64) -> Cover:
        """Join overlapping and touching intervals."""
        parts = [_union(start_ns[at : at + PIECE], end_ns[at : at + PIECE]) for at in range(0, len(start_ns), PIECE)]
        if len(parts) == 1:
            starts, ends = parts[0]
        else:
            none = int64([])
            starts, ends = _union(*(np.concatenate([none, *(part[side] for part in parts)]) for side in (0, 1)))
        lengths = np.zeros(len(starts) + 1, dtype=np.int64)
        np.cumsum(ends - starts, out=lengths[1:])
        return cls(starts, ends, lengths)

    def before(self, times_ns: I64) -> I64:
        """Covered nanoseconds before each time."""
        found = np.zeros(len(times_ns), dtype=np.int64)
        for at in range(0, len(times_ns) if len(self.start_ns) else 0, PIECE):
            times = times_ns[at : at + PIECE]
            place = np.searchsorted(self.start_ns, times, side="right")
            overshoot = np.maximum(self.end_ns[np.maximum(place - 1, 0)] - times, 0)
            found[at : at + PIECE] = self._before[place] - np.where(place > 0, overshoot, 0)
        return found

    def within(self, start_ns: I64, end_ns: I64) -> I64:
        """Covered nanoseconds inside each [start, end); 0 where end <= start."""
        found = self.before(end_ns)
        found -= self.before(start_ns)
        found[end_ns <= start_ns] = 0
        return found

    @property
    def length_ns(self) -> int:
        """Length of the union."""
        return int(self._before[-1])

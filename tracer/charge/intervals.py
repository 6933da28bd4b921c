"""Interval arithmetic on columns: exact, in integer nanoseconds, intervals half-open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import SMALL_RANGE, coded, int64

if TYPE_CHECKING:
    from tracer.arrays import I32, I64


def sum_by(keys: I64, values: I64, size: int) -> I64:
    """Sum `values` by key 0..size-1, in integers (np.bincount would go through doubles)."""
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, keys, values)
    return sums


def distinct(values: I64 | I32) -> list[int]:
    """The different values, in order."""
    low = int(values.min()) if len(values) else 0
    if len(values) and (size := int(values.max()) - low + 1) <= SMALL_RANGE:
        occurs = np.zeros(size, dtype=np.bool_)
        occurs[values - low] = True
        return [place + low for place in np.flatnonzero(occurs).tolist()]
    return list(coded(values)[0].tolist())


def running_end(end_ns: I64) -> I64:
    """The furthest end so far, before each interval: int64 min before the first."""
    reach = np.empty_like(end_ns)
    if len(reach):
        reach[0] = np.iinfo(np.int64).min
        np.maximum.accumulate(end_ns[:-1], out=reach[1:])
    return reach


def outermost(start_ns: I64, end_ns: I64) -> I64:
    """Indices of the intervals that lie inside no other, in the order of their start; of equal ones the first."""
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
    _outer: I64
    _index: I64

    @classmethod
    def of(cls, start_ns: I64, end_ns: I64) -> Nest:
        """Prepare intervals for asking."""
        order = np.lexsort((-end_ns, start_ns))
        start, end = start_ns[order], end_ns[order]
        # The nearest earlier interval that ends later: all between are over by the time this one is.
        outer = np.full(len(end), -1, dtype=np.int64)
        stack: list[int] = []
        ends = end.data  # a list of numbers would be five times as large
        for position, reach in enumerate(ends):
            while stack and ends[stack[-1]] <= reach:
                stack.pop()
            if stack:
                outer[position] = stack[-1]
            stack.append(position)
        return cls(start, end, outer, order)

    def innermost(self, times_ns: I64) -> I64:
        """For each time, the index of the innermost interval that holds it, or -1."""
        if not len(self._start):
            return np.full(len(times_ns), -1, dtype=np.int64)
        found = np.searchsorted(self._start, times_ns, side="right") - 1
        pending = np.flatnonzero(found >= 0)
        while len(pending):
            pending = pending[self._end[found[pending]] <= times_ns[pending]]
            found[pending] = self._outer[found[pending]]
            pending = pending[found[pending] >= 0]
        return int64(np.where(found >= 0, self._index[found], -1))


@dataclass(frozen=True, slots=True)
class Cover:
    """The union of intervals, and how much of it lies before a time."""

    start_ns: I64
    end_ns: I64
    _before: I64

    @classmethod
    def of(cls, start_ns: I64, end_ns: I64) -> Cover:
        """Join overlapping and touching intervals."""
        order = np.argsort(start_ns, kind="stable")
        start, end = start_ns[order], end_ns[order]
        begins = np.flatnonzero(start > running_end(end))
        starts = start[begins]
        ends = np.maximum.reduceat(end, begins) if len(begins) else end[:0]
        lengths = np.concatenate([[0], np.cumsum(ends - starts)])
        return cls(starts, ends, int64(lengths))

    def before(self, times_ns: I64) -> I64:
        """Covered nanoseconds before each time."""
        place = np.searchsorted(self.start_ns, times_ns, side="right")
        last = np.maximum(place - 1, 0)
        if not len(self.start_ns):
            return np.zeros_like(times_ns)
        overshoot = np.where(place > 0, np.maximum(self.end_ns[last] - times_ns, 0), 0)
        return int64(self._before[place] - overshoot)

    def within(self, start_ns: I64, end_ns: I64) -> I64:
        """Covered nanoseconds inside each [start, end); 0 where end <= start."""
        return int64(np.where(end_ns > start_ns, self.before(end_ns) - self.before(start_ns), 0))

    def shared_within(self, other: Cover, start_ns: I64, end_ns: I64) -> I64:
        """Nanoseconds that both cover inside each [start, end)."""
        both = np.concatenate([self.start_ns, other.start_ns]), np.concatenate([self.end_ns, other.end_ns])
        either = Cover.of(*both).within(start_ns, end_ns)
        return int64(self.within(start_ns, end_ns) + other.within(start_ns, end_ns) - either)

    @property
    def length_ns(self) -> int:
        """Length of the union."""
        return int(self._before[-1])

"""What repeats in a sequence of names: how long the repeated part is, and where it repeats.

A run of a distance d is where names equal those d places on. Single names may differ, as the kernel of attention does
when the cache grows; where most of some in a row differ, a run ends. All is done in some passes over the columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64

if TYPE_CHECKING:
    from tracer.arrays import I64

# So many names in a row are looked for again; of so many at most, half may differ within a run.
GRAM = 4
WINDOW = 16
# The distances that occur most often are tried.
MOST_DISTANCES = 32


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a sequence that repeats.

    Attributes:
        start, end: the part, in places of the sequence; the last repetition included.
        distance: from a name to its repetition.
    """

    start: int
    end: int
    distance: int

    @property
    def times(self) -> int:
        """How many whole repetitions it has."""
        return (self.end - self.start) // self.distance


def grams(codes: I64) -> I64:
    """For each place a number that stands for the `GRAM` names from there on."""
    if len(codes) < GRAM:
        return int64([])
    mixed = codes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    size = len(codes) - GRAM + 1
    found = np.zeros(size, dtype=np.uint64)
    for place in range(GRAM):
        found = found * np.uint64(0x100000001B3) + mixed[place : place + size]
    return int64(found.view(np.int64))


def distances(codes: I64) -> list[int]:
    """The commonest distances from some names in a row to their last occurrence, the shortest first."""
    found = grams(codes)
    order = np.argsort(found, kind="stable")
    apart = np.diff(order)[np.diff(found[order]) == 0]
    values, code = coded(int64(apart))
    chosen = np.argsort(-np.bincount(code), kind="stable")[:MOST_DISTANCES]
    return sorted(values[chosen].tolist())


def runs(codes: I64, distance: int) -> list[Run]:
    """Where names repeat at this distance, at least once, in their order."""
    equal = codes[:-distance] == codes[distance:]
    window = min(WINDOW, distance)
    if len(equal) < window or not equal.any():
        return []
    different = np.append(0, np.cumsum(~equal))
    alike = np.flatnonzero(different[window:] - different[:-window] <= window // 2)
    opened = np.zeros(len(equal) + 1, dtype=np.int64)
    np.add.at(opened, alike, 1)
    np.add.at(opened, alike + window, -1)
    inside = np.concatenate([[False], np.cumsum(opened)[:-1] > 0, [False]])
    edges = np.flatnonzero(np.diff(inside)).tolist()
    places = np.flatnonzero(equal)
    found = []
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        first, last = np.searchsorted(places, [low, high])
        start, end = int(places[first]), int(places[last - 1]) + 1 + distance
        if end - start >= 2 * distance:
            found.append(Run(start, end, distance))
    return found


def longest(codes: I64, least: int, most: int) -> list[Run]:
    """Of each common distance the longest run that repeats `least` times; the `most` longest of these."""
    found = []
    for distance in distances(codes):
        own = max(runs(codes, distance), key=lambda run: run.end - run.start, default=None)
        if own is not None and own.times >= least:
            found.append(own)
    found = [run for run in found if not any(_several(run, other) for other in found)]
    return sorted(found, key=lambda run: run.start - run.end)[:most]


def _several(run: Run, other: Run) -> bool:
    """Whether a run only counts several repetitions of another as one."""
    inside = other.start <= run.start and run.end <= other.end
    return inside and run.distance > other.distance and run.distance % other.distance == 0

"""Counters of a device over time: the share of it in which anything ran, and the launches in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.intervals import Cover

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.work import Work

# A counter has so many values at most: as many as a wide screen has columns.
MOST_BINS = 2000


def bins(start_ns: int, end_ns: int) -> I64:
    """The edges of equal bins over a window, of 1, 2 or 5 times a power of ten nanoseconds each."""
    width, step = 1, 0
    while (end_ns - start_ns) // width >= MOST_BINS:
        step += 1
        width = (1, 2, 5)[step % 3] * 10 ** (step // 3)
    return int64(np.arange(start_ns, end_ns + width, width))


def busy_share(work: Work, rows: I64, edges_ns: I64) -> list[float]:
    """For each bin, in percent, how much of it some of this work covers."""
    cover = Cover.of(work.start_ns[rows], work.end_ns[rows])
    busy = cover.within(edges_ns[:-1], edges_ns[1:])
    return [round(share, 1) for share in (100 * busy / np.diff(edges_ns)).tolist()]


def in_flight(work: Work, rows: I64, edges_ns: I64) -> list[int]:
    """How many launches were called and not done as each bin begins; the replay of a graph is one."""
    launched = rows[work.call[rows] >= 0]
    calls, call = coded(work.call[launched])
    asked, done = (np.full(len(calls), np.iinfo(np.int64).min) for _ in range(2))
    np.maximum.at(done, call, work.end_ns[launched])
    asked[call] = work.call_start_ns[launched]
    at = edges_ns[:-1]
    begun = np.searchsorted(np.sort(asked), at, side="right")
    # What began before it was asked for was never on its way.
    over = np.searchsorted(np.sort(np.maximum(asked, done)), at, side="right")
    return list((begun - over).tolist())


def highest(times_ns: I64, values: I64) -> tuple[I64, list[int]]:
    """A counter that changes at these times, in order: of each bin the highest value, where it is reached."""
    if not len(times_ns):
        return times_ns, []
    edges = bins(int(times_ns[0]), int(times_ns[-1]) + 1)
    bin_of = np.searchsorted(edges, times_ns, side="right")
    order = np.lexsort((-values, bin_of))
    first = np.sort(order[np.flatnonzero(np.diff(bin_of[order], prepend=-1))])
    return int64(times_ns[first]), list(values[first].tolist())

"""Device ops that overlap on one stream, where a stream should run one after another.

Two things cause it. With programmatic dependent launch a kernel begins while the one before it drains: the overlaps
are short, and honest. With deferred completion stamps (ROCm) an op's end is written late, sometimes by seconds, and
swallows whole ops behind it. Perfetto drops such slices in releases before June 2026, so that people see gaps where
kernels ran; later ones move them to a track of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import PIECE, running_end
from tracer.packed import replaced, rows_of_pairs, some
from tracer.trace.columns import NO_STREAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import I32
    from tracer.trace.columns import DeviceOps, Trace


@dataclass(frozen=True, slots=True)
class Overlaps:
    """What overlaps on its own stream.

    Attributes:
        ops: ops that begin before one that began earlier on their stream has ended.
        time_ns: durations minus the union, per stream, added up.
        swallowed: those of them that also end before it has.
        longest_ns: the longest overlap of one op.
    """

    ops: int
    time_ns: int
    swallowed: int
    longest_ns: int


def measure(ops: DeviceOps) -> Overlaps:
    """Measure the overlaps on each device's each stream."""
    count = time_ns = swallowed = longest_ns = 0
    for rows in _streams(ops):
        reach_ns = int(ops.start_ns[rows[0]])
        # In pieces: all together take many times their own memory.
        for at in range(0, len(rows), PIECE):
            own = rows[at : at + PIECE]
            start, end = some(ops, "start_ns", own), some(ops, "end_ns", own)
            reach = np.maximum(running_end(end), reach_ns)
            overlap = np.minimum(end, reach) - start
            inside = overlap > 0
            count += int(inside.sum())
            time_ns += int(overlap[inside].sum())
            swallowed += int((inside & (end <= reach)).sum())
            longest_ns = max(longest_ns, int(overlap.max()))
            reach_ns = max(reach_ns, int(end.max()))
    return Overlaps(count, time_ns, swallowed, longest_ns)


def clip(trace: Trace) -> Trace:
    """Cut each op at the start of the next on its stream."""
    end = trace.ops.end_ns.copy()
    for rows in _streams(trace.ops):
        following = trace.ops.start_ns[rows[1:]]
        end[rows[:-1]] = np.minimum(end[rows[:-1]], following)
    return replace(trace, ops=replaced(trace.ops, end_ns=end))


def _streams(ops: DeviceOps) -> Iterator[I32]:
    """The rows of each stream, in the order of their start; without those whose stream is not known."""
    streams = rows_of_pairs(ops, "device", "stream")
    while streams:
        rows = streams.pop(0)
        if some(ops, "stream", rows[:1])[0] == NO_STREAM:
            continue
        start = ops.start_ns[rows]
        if not (start[1:] > start[:-1]).all():
            rows = rows[np.lexsort((ops.end_ns[rows], start))]
        del start
        yield rows

"""Nsight's own figures for a range, so that a person can check ours against `nsys stats`.

There an op belongs to a range if its launch call lies inside the range, both ends included, on the thread that began
it: see the reports `nvtx_gpu_proj_sum` and `nvtx_kern_sum`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int32, int64, is_ascending
from tracer.charge.intervals import distinct
from tracer.measure.asked import EARLIEST, LATEST, asked_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import I32, I64
    from tracer.charge.work import Work
    from tracer.measure.asked import Asked
    from tracer.trace.columns import Spans


@dataclass(frozen=True, slots=True)
class Projections:
    """For each range: nsys's figures.

    Attributes:
        span_ns: from the start of the first op to the end of the last, gaps included; 0 without ops.
        kernel_ns: durations of the kernels added up.
    """

    span_ns: I64
    kernel_ns: I64


def project(work: Work, ranges: Spans, asked: Asked | None = None) -> Projections:
    """Compute them.

    Args:
        work: of the trace.
        ranges: each on the thread that began it.
        asked: what each call asked for, where that is known.
    """
    first = np.full(len(ranges), LATEST, dtype=np.int64)
    last = np.full(len(ranges), EARLIEST, dtype=np.int64)
    kernel_ns = np.zeros(len(ranges), dtype=np.int64)
    asked = asked_by(work) if asked is None else asked
    # The reports leave out whole graphs, and an operator is no op.
    some = asked.first_ns < LATEST
    for thread in distinct(ranges.thread):
        rows = np.flatnonzero(ranges.thread == thread)
        low_ns, high_ns = ranges.start_ns[rows], ranges.end_ns[rows]
        mine = int32(np.flatnonzero(some & (asked.thread == thread)))
        for calls, called_ns, returned_ns in _sequences(mine, asked.start_ns[mine], asked.end_ns[mine]):
            low = np.searchsorted(called_ns, low_ns, side="left")
            high = np.searchsorted(returned_ns, high_ns, side="right")
            held = np.flatnonzero(high > low)
            own, slices = rows[held], np.stack([low[held], high[held]], axis=1).ravel()
            start, end = asked.first_ns[calls], asked.last_ns[calls]
            # One more element, because a slice may reach to the end.
            first[own] = np.minimum(first[own], np.minimum.reduceat(np.append(start, LATEST), slices)[::2])
            last[own] = np.maximum(last[own], np.maximum.reduceat(np.append(end, EARLIEST), slices)[::2])
            total = np.concatenate([[0], np.cumsum(asked.kernel_ns[calls])])
            kernel_ns[own] += total[high[held]] - total[low[held]]
    return Projections(int64(np.where(last > first, last - first, 0)), kernel_ns)


def _sequences(calls: I32, called_ns: I64, returned_ns: I64) -> Iterator[tuple[I32, I64, I64]]:
    """Part the calls of one thread so that each part is in the order of both their starts and their ends.

    Only calls inside calls need more than one.

    Args:
        calls: of the thread.
        called_ns, returned_ns: when each began and ended.
    """
    if not (is_ascending(called_ns) and is_ascending(returned_ns)):
        order = np.lexsort((returned_ns, called_ns))
        calls, called_ns, returned_ns = calls[order], called_ns[order], returned_ns[order]
        del order
    while len(calls):
        in_order = returned_ns >= np.maximum.accumulate(returned_ns)
        if in_order.all():
            yield calls, called_ns, returned_ns
            return
        yield calls[in_order], called_ns[in_order], returned_ns[in_order]
        calls, called_ns, returned_ns = calls[~in_order], called_ns[~in_order], returned_ns[~in_order]

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
from tracer.trace.columns import OpKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import I32, I64
    from tracer.charge.work import Work
    from tracer.trace.columns import Spans

_EARLIEST, _LATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Projections:
    """For each range: nsys's figures.

    Attributes:
        span_ns: from the start of the first op to the end of the last, gaps included; 0 without ops.
        kernel_ns: durations of the kernels added up.
    """

    span_ns: I64
    kernel_ns: I64


def project(work: Work, ranges: Spans) -> Projections:
    """Compute them.

    Args:
        work: of the trace.
        ranges: each on the thread that began it.
    """
    first = np.full(len(ranges), _LATEST, dtype=np.int64)
    last = np.full(len(ranges), _EARLIEST, dtype=np.int64)
    kernel_ns = np.zeros(len(ranges), dtype=np.int64)
    # The reports leave out whole graphs.
    launched = int32(np.flatnonzero((work.call >= 0) & (work.kind != OpKind.GRAPH)))
    threads = work.call_thread[launched]
    for thread in distinct(ranges.thread):
        rows = np.flatnonzero(ranges.thread == thread)
        low_ns, high_ns = ranges.start_ns[rows], ranges.end_ns[rows]
        mine = launched[threads == thread]
        for ops, called_ns, returned_ns in _sequences(mine, work.call_start_ns[mine], work.call_end_ns[mine]):
            low = np.searchsorted(called_ns, low_ns, side="left")
            high = np.searchsorted(returned_ns, high_ns, side="right")
            del called_ns, returned_ns
            held = np.flatnonzero(high > low)
            own, slices = rows[held], np.stack([low[held], high[held]], axis=1).ravel()
            start, end = work.start_ns[ops], work.end_ns[ops]
            # One more element, because a slice may reach to the end.
            first[own] = np.minimum(first[own], np.minimum.reduceat(np.append(start, _LATEST), slices)[::2])
            last[own] = np.maximum(last[own], np.maximum.reduceat(np.append(end, _EARLIEST), slices)[::2])
            kernels = np.where(work.kind[ops] == OpKind.KERNEL, end - start, 0)
            total = np.concatenate([[0], np.cumsum(kernels)])
            kernel_ns[own] += total[high[held]] - total[low[held]]
    return Projections(int64(np.where(last > first, last - first, 0)), kernel_ns)


def _sequences(ops: I32, called_ns: I64, returned_ns: I64) -> Iterator[tuple[I32, I64, I64]]:
    """Part the ops of one thread so that in each part the calls are in the order of both their starts and their ends.

    Only calls inside calls need more than one.

    Args:
        ops: of the thread.
        called_ns, returned_ns: when the call of each began and ended.
    """
    if not (is_ascending(called_ns) and is_ascending(returned_ns)):
        order = np.lexsort((returned_ns, called_ns))
        ops, called_ns, returned_ns = ops[order], called_ns[order], returned_ns[order]
        del order
    while len(ops):
        in_order = returned_ns >= np.maximum.accumulate(returned_ns)
        if in_order.all():
            yield ops, called_ns, returned_ns
            return
        yield ops[in_order], called_ns[in_order], returned_ns[in_order]
        ops, called_ns, returned_ns = ops[~in_order], called_ns[~in_order], returned_ns[~in_order]

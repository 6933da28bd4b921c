"""Which host threads launched the device's work, and of which the profiler recorded nothing but that.

torch.profiler records operators, ranges and Python frames of the thread that started it; calls of the device's runtime
come from another recorder, which sees all threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.intervals import distinct, sum_by
from tracer.document.summary import HostThread
from tracer.trace.columns import NO_THREAD

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

MOST = 32


def host_threads(trace: Trace, work: Work, *, staged: bool) -> list[HostThread]:
    """A row for each thread that launched something, the most device time first; of a CPU run none.

    Args:
        trace: of the work; without stages with its modules, and its operators where `worth_operators` says so.
        work: the trace's.
        staged: whether it has stages that are marked; then frames and operators were not asked for.
    """
    if not work.on_device:
        return []
    asked = np.flatnonzero(work.call_thread != NO_THREAD)
    threads, place = coded(work.call_thread[asked])
    size = len(threads)
    calls, first = np.unique(work.call[asked], return_index=True)
    launches = np.bincount(place[first], minlength=size) if len(calls) else np.zeros(size, dtype=np.int64)
    ops, time_ns = np.bincount(place, minlength=size), sum_by(place, work.time_ns[asked], size)
    spoken = _spoken(trace)
    # Where nothing at all was recorded but calls, or nobody looked, no thread is less recorded than others.
    known = not staged and trace.format == "chrome" and (bool(spoken) or trace.stacks)
    found = [
        HostThread(
            process=trace.threads[thread][0],
            thread=trace.threads[thread][1],
            launches=int(launches[number]),
            ops=int(ops[number]),
            device_time_ns=int(time_ns[number]),
            ranges=int(np.count_nonzero(trace.ranges.thread == thread)),
            silent=False if thread in spoken else True if known else None,
        )
        for number, thread in enumerate(threads.tolist())
    ]
    return sorted(found, key=lambda row: (-row.device_time_ns, row.process, row.thread))[:MOST]


def worth_operators(trace: Trace) -> bool:
    """Whether operators tell more of the threads: a launching one has no range, module or frame on it."""
    launching = set(distinct(int64(trace.calls.thread)))
    return bool(len(trace.ops)) and bool(launching - _spoken(trace))


def _spoken(trace: Trace) -> set[int]:
    """Threads with operators, ranges, modules or frames."""
    columns = (trace.cpu_ops, trace.ranges, trace.modules, trace.generation, trace.frames)
    return {thread for column in columns for thread in distinct(column.thread)}

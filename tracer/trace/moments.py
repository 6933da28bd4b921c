"""Times at which something happened on threads: of very many Python frames those are read that were open at one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tracer.arrays import coded, int64
from tracer.trace.api import synchronises

if TYPE_CHECKING:
    from tracer.arrays import I32, I64, Bools
    from tracer.trace.columns import Trace

    # By (process, thread) as the trace has them, in ascending order.
    Moments: TypeAlias = Mapping[tuple[str, str], I64]


def waiting_moments(trace: Trace) -> Moments:
    """When each thread began to wait in a synchronising call."""
    calls = trace.calls
    waits = np.array([synchronises(name) for name in trace.strings], dtype=np.bool_)
    rows = np.flatnonzero(waits[calls.name]) if len(calls) else int64([])
    threads = coded(calls.thread[rows])[0].tolist()
    return {trace.threads[one]: np.sort(calls.start_ns[rows[calls.thread[rows] == one]]) for one in threads}


def open_at(start_ns: I64, end_ns: I64, thread: I32, threads: list[tuple[str, str]], moments: Moments) -> Bools:
    """Which intervals [start, end) hold one of their thread's moments.

    Args:
        start_ns, end_ns, thread: of each interval; the thread is an index into `threads`.
        threads: as in `moments`.
        moments: of each thread.
    """
    held = np.zeros(len(start_ns), dtype=np.bool_)
    for number in coded(thread)[0].tolist():
        asked = moments.get(threads[number])
        if asked is not None:
            own = np.flatnonzero(thread == number)
            held[own] = np.searchsorted(asked, start_ns[own]) < np.searchsorted(asked, end_ns[own])
    return held

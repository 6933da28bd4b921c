"""What was asked for by each call: the ops of a graph's replay are one row, and what few calls launched few rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.packed import chosen, narrow_columns, pieces
from tracer.trace.columns import OpKind

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.work import Work

EARLIEST, LATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@narrow_columns
@dataclass(frozen=True, slots=True)
class Asked:
    """Calls that asked for work, in the order of the trace; of operators each for itself.

    Attributes:
        start_ns, end_ns: of the call.
        thread: of the call.
        ops: how many pieces of work it asked for.
        time_ns: of these together.
        kernel_ns: of kernels among them.
        first_ns, last_ns: when they ran, but for ops that are whole graphs; LATEST and EARLIEST without others.
    """

    start_ns: I64
    end_ns: I64
    thread: I64
    ops: I64
    time_ns: I64
    kernel_ns: I64
    first_ns: I64
    last_ns: I64


def asked_by(work: Work) -> Asked:
    """Put the work of each call together that has a record of it."""
    if work.calls is None:
        start_ns, end_ns, none = work.start_ns, work.end_ns, np.zeros(len(work), dtype=np.int64)
        thread = work.call_thread
        return Asked(start_ns, end_ns, thread, none + 1, work.time_ns, none, none + LATEST, none + EARLIEST)
    size = len(work.calls)
    ops, time_ns, kernel_ns = (np.zeros(size, dtype=np.int64) for _ in range(3))
    first_ns, last_ns = np.full(size, LATEST), np.full(size, EARLIEST)
    names = ("call", "kind", "start_ns", "end_ns")
    for call, kind, start_ns, end_ns in zip(*(pieces(work, name) for name in names), strict=True):
        took_ns = end_ns - start_ns
        begins = np.flatnonzero(np.append(True, call[1:] != call[:-1]))
        own, some = call[begins], call[begins] >= 0
        counts = np.diff(begins, append=len(call))
        graph = kind == OpKind.GRAPH
        for ufunc, column, values in (
            (np.add, time_ns, took_ns),
            (np.add, kernel_ns, np.where(kind == OpKind.KERNEL, took_ns, 0)),
            (np.minimum, first_ns, np.where(graph, LATEST, start_ns)),
            (np.maximum, last_ns, np.where(graph, EARLIEST, end_ns)),
        ):
            ufunc.at(column, own[some], ufunc.reduceat(values, begins)[some])
        np.add.at(ops, own[some], counts[some])
    calls = work.calls
    every = Asked(calls.start_ns, calls.end_ns, int64(calls.thread), ops, time_ns, kernel_ns, first_ns, last_ns)
    return chosen(every, ops > 0)

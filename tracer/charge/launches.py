"""From each device op to the host call that launched it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct, sum_by
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.trace.columns import Trace


def find_launches(trace: Trace) -> I64:
    """For each device op, the index of the host call that launched it, or -1.

    A launch may be recorded by the runtime and by the driver below it, with one correlation: the outer call counts.
    Where a correlation occurs again, in a file joined from several processes, the call of the process that uses the
    op's device counts, and in one process (a counter that wrapped) the last call that began before the op did.
    """
    ops, calls = trace.ops, trace.calls
    usable = np.flatnonzero(calls.correlation != NO_CORRELATION)
    order = usable[np.lexsort((-calls.end_ns[usable], calls.start_ns[usable], calls.correlation[usable]))]
    order = _without_inner_calls(trace, order)
    if not len(order) or not len(ops):
        return np.full(len(ops), -1, dtype=np.int64)
    correlation = calls.correlation[order]
    first = np.searchsorted(correlation, ops.correlation, side="left")
    count = np.searchsorted(correlation, ops.correlation, side="right") - first
    place = np.minimum(first, len(order) - 1)
    known = (count > 0) & (ops.correlation != NO_CORRELATION)
    found = int64(np.where(known, order[place], -1))
    if (count[known] > 1).any():
        return _of_several(trace, order, found, repeated=known & (count > 1))
    return found


def _without_inner_calls(trace: Trace, order: I64) -> I64:
    """Drop calls that lie inside the one before them with the same correlation and thread."""
    if len(order) < 2:
        return order
    calls = trace.calls
    before, after = order[:-1], order[1:]
    inner = (
        (calls.correlation[before] == calls.correlation[after])
        & (calls.thread[before] == calls.thread[after])
        & (calls.end_ns[after] <= calls.end_ns[before])
    )
    return int64(order[np.concatenate([[True], ~inner])])


def _of_several(trace: Trace, order: I64, found: I64, *, repeated: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> I64:
    """Settle the ops whose correlation several calls have."""
    processes = _process_of_thread(trace)[trace.calls.thread[order]]
    names = distinct(processes)
    candidates = np.stack([_last_before(trace, order[processes == process]) for process in names])
    if len(names) == 1:
        return int64(np.where(repeated & (candidates[0] >= 0), candidates[0], found))
    chosen = _process_of_device(trace, candidates)[np.searchsorted(distinct(trace.ops.device), trace.ops.device)]
    own = candidates[chosen, np.arange(len(chosen))]
    # An op whose device's process has no such call: the latest call of any process that began before it.
    start = np.where(candidates >= 0, trace.calls.start_ns[candidates], np.iinfo(np.int64).min)
    start = np.where(start <= trace.ops.start_ns, start, np.iinfo(np.int64).min)
    latest = candidates[start.argmax(axis=0), np.arange(len(chosen))]
    settled = np.where(own >= 0, own, np.where(latest >= 0, latest, found))
    return int64(np.where(repeated, settled, found))


def _process_of_thread(trace: Trace) -> I64:
    numbers: dict[str, int] = {}
    return int64([numbers.setdefault(process, len(numbers)) for process, _ in trace.threads])


def _process_of_device(trace: Trace, candidates: I64) -> I64:
    """For each device, the row of the process whose calls precede most of its ops, by the shortest way."""
    devices = distinct(trace.ops.device)
    device = int64(np.searchsorted(devices, trace.ops.device))
    best: list[tuple[I64, I64]] = []
    for row in candidates:
        delay = trace.ops.start_ns - trace.calls.start_ns[row]
        fits = np.flatnonzero((row >= 0) & (delay >= 0))
        best.append(
            (
                sum_by(device[fits], np.ones(len(fits), dtype=np.int64), len(devices)),
                sum_by(device[fits], delay[fits], len(devices)),
            )
        )
    return int64(
        [
            min(range(len(candidates)), key=lambda row: (-best[row][0][number], best[row][1][number]))
            for number in range(len(devices))
        ]
    )


def _last_before(trace: Trace, order: I64) -> I64:
    """For each op, the last of these calls with its correlation that did not begin after it, else the first, or -1.

    Args:
        trace: has the ops and the calls.
        order: calls, sorted by correlation and start.
    """
    ops, calls = trace.ops, trace.calls
    group, asked_group = calls.correlation[order], ops.correlation
    asked = np.concatenate([np.zeros(len(order), dtype=np.int64), np.ones(len(ops), dtype=np.int64)])
    times = np.concatenate([calls.start_ns[order], ops.start_ns])
    together = np.lexsort((asked, times, np.concatenate([group, asked_group])))
    rows = np.maximum.accumulate(np.where(asked[together] == 0, together, -1))
    last = np.empty(len(ops), dtype=np.int64)
    is_asked = asked[together] == 1
    last[together[is_asked] - len(order)] = rows[is_asked]
    first = np.searchsorted(group, asked_group, side="left")
    last = np.maximum(last, first)
    place = np.minimum(last, len(order) - 1)
    return int64(np.where((last < len(order)) & (group[place] == asked_group), order[place], -1))

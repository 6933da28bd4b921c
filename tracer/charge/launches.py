"""From each device op to the host call that launched it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.intervals import distinct, sum_by
from tracer.trace.api import launches_graph
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Trace


def find_launches(trace: Trace) -> I64:
    """For each device op, the index of the host call that launched it, or -1.

    A launch may be recorded by the runtime and by the driver below it, with one correlation: the outer call counts.
    Where a correlation occurs again, in a file joined from several processes, the call of the process that uses the
    op's device counts, and in one process (a counter that wrapped) the last call that began before the op did. Left
    without a launch are ops that can only have another's: see `_without_borrowed`.
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
        found = _of_several(trace, order, found, repeated=known & (count > 1))
    return _without_borrowed(trace, found)


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


def _of_several(trace: Trace, order: I64, found: I64, *, repeated: Bools) -> I64:
    """Settle the ops whose correlation several calls have."""
    processes = process_of_thread(trace)[trace.calls.thread[order]]
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


def _without_borrowed(trace: Trace, found: I64) -> I64:
    """Take from ops the launches that are others'.

    An op that was launched before the recording began finds the id that it shares with a later op, or, in a file joined
    from several processes, with an op of another. So a call that began after this op but before another one of its own
    is not this op's launch (clocks that disagree put all ops of a call before it); and of the devices that a call seems
    to work for, all but its process's own are another's. A graph's launch has many ops, on several devices maybe.
    """
    graphs = np.array([launches_graph(name) for name in trace.strings], dtype=np.bool_)
    single = np.flatnonzero(found >= 0)
    single = single[~graphs[trace.calls.name[found[single]]]]
    late = trace.calls.start_ns[found[single]] > trace.ops.start_ns[single]
    on_time = np.zeros(len(trace.calls), dtype=np.bool_)
    on_time[found[single[~late]]] = True
    kept = found.copy()
    kept[single[late & on_time[found[single]]]] = -1
    if trace.format == "chrome":
        # Elsewhere a correlation names its process.
        kept[_of_other_processes(trace, kept)] = -1
    return kept


def _of_other_processes(trace: Trace, found: I64) -> I64:
    """The ops whose launch is of a process that works elsewhere, while another one works on their device."""
    launched = np.flatnonzero(found >= 0)
    process = process_of_thread(trace)[trace.calls.thread[found[launched]]]
    names, process = coded(process)
    devices, device = coded(trace.ops.device[launched])
    if len(names) < 2 or len(devices) < 2:
        return launched[:0]
    pair = process * len(devices) + device
    own = _alone(found[launched], device)
    ops = sum_by(pair[own], np.ones(int(own.sum()), dtype=np.int64), len(names) * len(devices))
    ops = ops.reshape(len(names), len(devices))
    stranger = (ops < ops.max(axis=1, keepdims=True)) & (ops < ops.max(axis=0, keepdims=True))
    return int64(launched[stranger.ravel()[pair]])


def _alone(call: I64, device: I64) -> Bools:
    """Which ops have a call that launched nothing on other devices."""
    together, group = coded(call)
    low, high = np.full(len(together), np.iinfo(np.int64).max), np.full(len(together), -1)
    np.minimum.at(low, group, device)
    np.maximum.at(high, group, device)
    return np.asarray((low == high)[group], dtype=np.bool_)


def process_of_thread(trace: Trace) -> I64:
    """A number for the process of each of the trace's threads."""
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

"""From each device op to the host call that launched it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.intervals import distinct, sum_by
from tracer.packed import pieces
from tracer.trace.api import launches_graph
from tracer.trace.columns import JITTER_NS, NO_CORRELATION

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Trace


# Of so large a share of a device's ops that begin before their launch its clock is off; fewer are the exception.
CLOCK_IS_OFF = 0.01
# Beyond so many processes, and so many pairs of an op and a process, not all are weighed against each other: files that
# ranks were joined in are far below it, and memory goes by the pairs.
FEW_PROCESSES, MOST_PAIRS = 64, 1 << 24
# What weighing a process for a device takes, in pairs.
PAIRS_OF_DEVICE = 16


def find_launches(trace: Trace) -> I64:
    """For each device op, the index of the host call that launched it, or -1.

    A launch may be recorded by the runtime and by the driver below it, with one correlation: the outer call counts.
    Where a correlation occurs again (a counter that wrapped) the last call that began before the op did counts. In a
    file joined from several processes, that is a call of the process that uses the op's device; one of another
    process only if it launched nothing of its own. Of very many processes an op has a launch only if the calls of one
    alone bear its number. An op that begins before the only call of its number, which
    launched nothing else, has that launch all the same: the device's clock is off then, see `Clocks`.
    """
    ops, calls = trace.ops, trace.calls
    order = _without_inner_calls(trace, _by_number(trace))
    if not len(order) or not len(ops):
        return np.full(len(ops), -1, dtype=np.int64)
    processes = process_of_thread(trace)[calls.thread[order]]
    names = distinct(processes)
    if len(names) == 1:
        found = _only(trace, order)
    elif len(names) > FEW_PROCESSES and _pairs(trace, len(names)) > MOST_PAIRS:
        found = _of_one_alone(trace, order, processes)
    else:
        rows = np.stack([_last_before(trace, order[processes == process]) for process in names])
        found = _of_several(trace, rows, names)
    return _without_used_again(trace, found)


def _by_number(trace: Trace) -> I64:
    """The calls that have a correlation, in the order of these; of one, in that of their starts, the longest first."""
    calls = trace.calls
    usable = np.flatnonzero(calls.correlation != NO_CORRELATION)
    numbers = calls.correlation[usable]
    if (numbers[1:] > numbers[:-1]).all():  # as a profiler writes the calls of one thread
        return usable
    return usable[np.lexsort((-calls.end_ns[usable], calls.start_ns[usable], numbers))]


def _without_used_again(trace: Trace, call: I64) -> I64:
    """Drop calls that launched something else: of what began before them, only the number is theirs.

    The kernels of a graph share its launch, so that the first of them may begin before it by a little.
    """
    early = begins_before(trace, call)
    if not early.any():
        return call
    launched = np.zeros(len(trace.calls) + 1, dtype=np.bool_)
    launched[call[~early]] = True
    launched[-1] = False
    graph = np.array([*(launches_graph(name) for name in trace.strings), False], dtype=np.bool_)
    of_graph = graph[np.append(trace.calls.name, -1)[call]]
    again = early & launched[call] & ~(of_graph & (earlier_ns(trace, call) <= JITTER_NS))
    return int64(np.where(again, -1, call))


def earlier_ns(trace: Trace, call: I64) -> I64:
    """How long before its launch each op began; 0 where it did not, or has none."""
    earlier = _called_ns(trace, call)
    earlier -= trace.ops.start_ns
    earlier[call < 0] = 0
    return np.maximum(earlier, 0, out=earlier)


def begins_before(trace: Trace, call: I64) -> Bools:
    """Which ops began before the call that bears their correlation; with one of -1 none did."""
    return np.asarray((call >= 0) & (trace.ops.start_ns < _called_ns(trace, call)), dtype=np.bool_)


def _called_ns(trace: Trace, call: I64) -> I64:
    """When each op's call began; of one without a call anything."""
    return trace.calls.start_ns[call] if len(trace.calls) else np.zeros(len(call), dtype=np.int64)


def _without_inner_calls(trace: Trace, order: I64) -> I64:
    """Drop calls that lie inside one that began before them with the same correlation and thread."""
    calls = trace.calls
    numbers = calls.correlation[order]
    again = np.flatnonzero(numbers[1:] == numbers[:-1])
    if not len(again):
        return order
    several = order[coded(np.concatenate([again, again + 1]))[0]]
    grouped = several[
        np.lexsort((-calls.end_ns[several], calls.start_ns[several], calls.thread[several], calls.correlation[several]))
    ]
    thread, correlation = calls.thread[grouped], calls.correlation[grouped]
    begins = np.append(True, (thread[1:] != thread[:-1]) | (correlation[1:] != correlation[:-1]))
    group = np.cumsum(begins) - 1
    # The end that the group has reached so far: places of ends keep their order and are small enough to number groups.
    ends, place = coded(calls.end_ns[grouped])
    reach = np.maximum.accumulate(group * len(ends) + place)
    inner = np.append(False, (group[1:] * len(ends) + place[1:] <= reach[:-1]) & ~begins[1:])
    kept = np.ones(len(calls), dtype=np.bool_)
    kept[grouped[inner]] = False
    return int64(order[kept[order]])


def _only(trace: Trace, order: I64) -> I64:
    """For each op, the call with its correlation, of several the last before it, or -1; of calls of one process."""
    correlation = trace.calls.correlation[order]
    found, at = np.full(len(trace.ops), -1, dtype=np.int64), 0
    for asked in pieces(trace.ops, "correlation"):
        first = np.searchsorted(correlation, asked, side="left")
        count = np.searchsorted(correlation, asked, side="right") - first
        if (count > 1).any():
            return _last_before(trace, order)
        found[at : at + len(asked)][count == 1] = order[first[count == 1]]
        at += len(asked)
    return found


def _pairs(trace: Trace, processes: int) -> int:
    return processes * max(len(trace.ops), PAIRS_OF_DEVICE * len(distinct(trace.ops.device)))


def _of_one_alone(trace: Trace, order: I64, processes: I64) -> I64:
    """The launch of each op whose number the calls of one process alone bear, or -1.

    Args:
        trace: with ops and calls.
        order: calls, sorted by correlation and start.
        processes: of each of these.
    """
    number = trace.calls.correlation[order]
    shared = number[1:][(number[1:] == number[:-1]) & (processes[1:] != processes[:-1])]
    return int64(np.where(np.isin(trace.ops.correlation, shared), -1, _last_before(trace, order)))


def _of_several(trace: Trace, candidates: I64, names: list[int]) -> I64:
    """The launch of each op where several processes have launches.

    Args:
        trace: with ops and calls.
        candidates: a row of calls for each process, in the order of `names`.
        names: the processes' numbers.
    """
    ops, calls = trace.ops, trace.calls
    of_device = _process_of_device(trace, candidates, names)
    chosen = of_device[np.searchsorted(distinct(ops.device), ops.device)]
    own = candidates[chosen, np.arange(len(ops))]
    late = np.where(begins_before(trace, own), -1, own)
    # An op whose device's process has no such call: the latest call that launched nothing of its own, of any process
    # that no device is the own of.
    busy = np.zeros(len(calls) + 1, dtype=np.bool_)
    busy[late] = True
    busy[-1] = False
    start = np.where((candidates >= 0) & ~busy[candidates], calls.start_ns[candidates], np.iinfo(np.int64).min)
    start = np.where(start <= ops.start_ns, start, np.iinfo(np.int64).min)
    start[of_device] = np.iinfo(np.int64).min
    latest = np.where(start.max(axis=0) > np.iinfo(np.int64).min, start.argmax(axis=0), -1)
    other = np.where(latest >= 0, candidates[latest, np.arange(len(ops))], -1)
    # A clock that is off makes them early: then the device's process is all there is to go by.
    return int64(np.where(late >= 0, late, np.where(other >= 0, other, own)))


def process_of_thread(trace: Trace) -> I64:
    """The number of each thread's process."""
    numbers: dict[str, int] = {}
    return int64([numbers.setdefault(process, len(numbers)) for process, _ in trace.threads])


def _process_of_device(trace: Trace, candidates: I64, names: list[int]) -> I64:
    """For each device, the row of its process: which the file tells, else the one whose calls launched its ops.

    That is the process whose calls precede most of its ops, by the shortest way. Of a device whose clock is off they
    may all come after; then it is the one that has calls of most of its ops' numbers.
    """
    devices = distinct(trace.ops.device)
    device = int64(np.searchsorted(devices, trace.ops.device))
    row_of = {trace.threads[thread][0]: names.index(number) for thread, number in _numbers(trace) if number in names}
    scores: list[list[tuple[int, int, int]]] = []
    for row in candidates:
        delay = trace.ops.start_ns - trace.calls.start_ns[row]
        known = np.flatnonzero(row >= 0)
        fits = known[delay[known] >= 0]
        after = np.bincount(device[fits], minlength=len(devices))
        distance = sum_by(device[known], np.abs(delay[known]), len(devices))
        joined = np.bincount(device[known], minlength=len(devices))
        scores.append(list(zip((-after).tolist(), (-joined).tolist(), distance.tolist(), strict=True)))
    told = [row_of.get(trace.process_of_device.get(one, ""), -1) for one in devices]
    chosen = [
        row if row >= 0 else min(range(len(candidates)), key=lambda row: scores[row][number])
        for number, row in enumerate(told)
    ]
    free = [row for row in range(len(candidates)) if row not in told]
    asking = [number for number, row in enumerate(told) if row < 0]
    if len(free) == len(asking) > len({chosen[number] for number in asking}):
        for number, row in _in_step(trace, candidates, device, free, asking):
            chosen[number] = row
    return int64(chosen)


def _in_step(trace: Trace, candidates: I64, device: I64, rows: list[int], devices: list[int]) -> list[tuple[int, int]]:
    """A process of its own for each device, where ranks that work in step number their launches alike.

    Whose call came first on the average, of numbers that all have, its device worked first.

    Args:
        trace: with ops and calls.
        candidates: see `_of_several`.
        device: of each op, as a place among all devices.
        rows, devices: those to be joined, as many of both.

    Returns:
        Pairs of a device and a row; none where the numbers are not alike, or a device worked before it was asked to.
    """
    shared = (candidates[rows] >= 0).all(axis=0)
    own = [np.flatnonzero(shared & (device == number)) for number in devices]
    if not all(len(ops) for ops in own):
        return []
    calls = np.unique(candidates[rows][:, np.flatnonzero(shared)], axis=1)
    zero_ns = trace.ops.start_ns.min()
    called = (trace.calls.start_ns[calls] - zero_ns).mean(axis=1)
    ran = [(trace.ops.start_ns[ops] - zero_ns).mean() for ops in own]
    pairs = list(zip(np.argsort(ran, kind="stable").tolist(), np.argsort(called, kind="stable").tolist(), strict=True))
    for one, other in pairs:
        asked_ns = trace.calls.start_ns[candidates[rows[other], own[one]]]
        if (trace.ops.start_ns[own[one]] < asked_ns - JITTER_NS).mean() > CLOCK_IS_OFF:
            return []
    return [(devices[one], rows[other]) for one, other in pairs]


def _numbers(trace: Trace) -> list[tuple[int, int]]:
    """Each thread, and the number of its process."""
    return list(enumerate(process_of_thread(trace).tolist()))


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

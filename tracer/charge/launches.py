"""From each device op to the host call that launched it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.intervals import distinct, sum_by
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Trace


# Of a device that ran most of its work, and so much of it, before it was asked for, the clock is off.
CLOCK_IS_OFF_OPS = 20


def find_launches(trace: Trace) -> I64:
    """For each device op, the index of the host call that launched it, or -1.

    A launch may be recorded by the runtime and by the driver below it, with one correlation: the outer call counts.
    Where a correlation occurs again (a counter that wrapped) the last call that began before the op did counts. In a
    file joined from several processes, that is a call of the process that uses the op's device; one of another
    process only if it launched nothing of its own. What began after the op did not launch it: such ops have no launch,
    unless they are most of a device's, whose clock is off then.
    """
    ops, calls = trace.ops, trace.calls
    usable = np.flatnonzero(calls.correlation != NO_CORRELATION)
    order = usable[np.lexsort((-calls.end_ns[usable], calls.start_ns[usable], calls.correlation[usable]))]
    order = _without_inner_calls(trace, order)
    if not len(order) or not len(ops):
        return np.full(len(ops), -1, dtype=np.int64)
    processes = process_of_thread(trace)[calls.thread[order]]
    names = distinct(processes)
    if len(names) == 1:
        found = _only(trace, order)
    else:
        found = _of_several(trace, np.stack([_last_before(trace, order[processes == process]) for process in names]))
    early = begins_before(trace, found)
    return int64(np.where(early & ~_clock_is_off(trace, found, early), -1, found)) if early.any() else found


def begins_before(trace: Trace, call: I64) -> Bools:
    """Which ops began before the call that bears their correlation; with one of -1 none did."""
    return np.asarray((call >= 0) & (trace.ops.start_ns < np.append(trace.calls.start_ns, 0)[call]), dtype=np.bool_)


def doubtful_launches(trace: Trace, call: I64) -> str | None:
    """What to say of ops that bear a call's correlation and have begun before it, or belong to another process."""
    early = int(np.count_nonzero(begins_before(trace, call)))
    if early:
        return (
            f"{early:,} device ops begin before their launch: the device's clock is off against the host's, "
            "and nothing is said of why it was idle before them"
        )
    known = distinct(trace.calls.correlation[trace.calls.correlation != NO_CORRELATION])
    orphans = trace.ops.correlation[call < 0]
    if not len(known) or not len(orphans):
        return None
    place = np.minimum(np.searchsorted(known, orphans), len(known) - 1)
    refused = int(np.count_nonzero(int64(known)[place] == orphans))
    return (
        f"{refused:,} device ops have the number of a call that began after them or is another process's: "
        "they count as without a launch record"
        if refused
        else None
    )


def _clock_is_off(trace: Trace, call: I64, early: Bools) -> Bools:
    """Which ops ran on a device whose clock is off against the host's, by those that began before their call."""
    devices = distinct(trace.ops.device)
    device = int64(np.searchsorted(devices, trace.ops.device))
    before = np.bincount(device[early], minlength=len(devices))
    joined = np.bincount(device[call >= 0], minlength=len(devices))
    return np.asarray(((before >= CLOCK_IS_OFF_OPS) & (2 * before > joined))[device], dtype=np.bool_)


def _without_inner_calls(trace: Trace, order: I64) -> I64:
    """Drop calls that lie inside one that began before them with the same correlation and thread."""
    calls = trace.calls
    again = np.flatnonzero(calls.correlation[order[1:]] == calls.correlation[order[:-1]])
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
    first = np.searchsorted(correlation, trace.ops.correlation, side="left")
    count = np.searchsorted(correlation, trace.ops.correlation, side="right") - first
    if (count > 1).any():
        return _last_before(trace, order)
    return int64(np.where(count == 1, order[np.minimum(first, len(order) - 1)], -1))


def _of_several(trace: Trace, candidates: I64) -> I64:
    """The launch of each op where several processes have launches, a row of candidates of each."""
    ops, calls = trace.ops, trace.calls
    of_device = _process_of_device(trace, candidates)
    chosen = of_device[np.searchsorted(distinct(ops.device), ops.device)]
    own = candidates[chosen, np.arange(len(ops))]
    own = np.where(begins_before(trace, own), -1, own)
    # An op whose device's process has no such call: the latest call that launched nothing of its own, of any process
    # that no device is the own of.
    busy = np.zeros(len(calls) + 1, dtype=np.bool_)
    busy[own] = True
    busy[-1] = False
    start = np.where((candidates >= 0) & ~busy[candidates], calls.start_ns[candidates], np.iinfo(np.int64).min)
    start = np.where(start <= ops.start_ns, start, np.iinfo(np.int64).min)
    start[of_device] = np.iinfo(np.int64).min
    latest = np.where(start.max(axis=0) > np.iinfo(np.int64).min, start.argmax(axis=0), -1)
    other = np.where(latest >= 0, candidates[latest, np.arange(len(ops))], -1)
    # A clock that is off makes them all early: then the device's process is all there is to go by.
    return int64(np.where(own >= 0, own, np.where(other >= 0, other, candidates[chosen, np.arange(len(ops))])))


def process_of_thread(trace: Trace) -> I64:
    """The number of each thread's process."""
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

"""Which correlations join an op to a call, and which are a writer's way to say that there is none.

CUPTI numbers from 1 on, and 0 means unknown; others number from 0 on, or write -1 for none. A number below 1 is an id
where one op bears it and one call does, with those that lie inside that call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.trace.chrome.shared_numbers import keep_order, share_out
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import DeviceOps, HostCalls


@dataclass(frozen=True, slots=True)
class Correlations:
    """Of each op and of each call; NO_CORRELATION for none."""

    of_ops: I64
    of_calls: I64


def settled(ops: DeviceOps, calls: HostCalls) -> Correlations:
    """Clear the correlations that join nothing.

    Args:
        ops, calls: with correlations as the file has them.
    """
    odd = [column[(column < 1) & (column != NO_CORRELATION)] for column in (ops.correlation, calls.correlation)]
    values = coded(np.concatenate(odd))[0].tolist()
    none = [value for value in values if not _joins(ops, calls, value)]
    if not none:
        return Correlations(ops.correlation, calls.correlation)
    return Correlations(*(_without(column, none) for column in (ops.correlation, calls.correlation)))


def launching_process(
    ops: DeviceOps, device: I64, calls: HostCalls, process_of_call: I64, starts: Bools
) -> tuple[I64, Bools]:
    """The process that launched each op, as far as correlations tell, -1 where they don't; and whose may be another's.

    That is the one whose calls alone bear the op's correlation. Where the calls of several do, and as many ops of one
    device, each process launched one of these: see `share_out`.
    Where ops of several devices bear one, one of them at least was launched by somebody whose call was not recorded.

    Args:
        ops, calls: with settled correlations.
        device: of each op.
        process_of_call: the number of each call's process.
        starts: which calls put work on a device by their name; of one number the others, as waits, launched nothing.
    """
    known = (calls.correlation != NO_CORRELATION) & (starts | ~np.isin(calls.correlation, calls.correlation[starts]))
    known = np.flatnonzero(known)
    order = known[np.lexsort((calls.start_ns[known], process_of_call[known], calls.correlation[known]))]
    number, process = calls.correlation[order], process_of_call[order]
    # Of a runtime's call and the driver's inside it the first.
    outer = np.append(True, (np.diff(number) != 0) | (np.diff(process) != 0))[: len(order)]
    order = order[outer]
    order = order[np.lexsort((calls.start_ns[order], calls.correlation[order]))]
    number, process = calls.correlation[order], process_of_call[order]
    first, callers = _places(number, ops.correlation)
    known_op = (ops.correlation != NO_CORRELATION) & (callers > 0) & ~_on_several(ops.correlation, device)
    by_time = np.lexsort((ops.start_ns, ops.correlation))
    _, alike = _places(ops.correlation[by_time], ops.correlation)
    alone = known_op & (callers == 1)
    found = np.where(alone, process[np.where(alone, first, 0)] if len(process) else -1, -1)
    untold = np.zeros(len(device), dtype=np.bool_)
    rows = by_time[(known_op & (callers > 1) & (alike % np.maximum(callers, 1) == 0))[by_time]]
    if len(rows):
        begins = np.append(0, np.flatnonzero(np.diff(ops.correlation[rows])) + 1)
        turn = np.arange(len(rows)) - begins.repeat(np.diff(np.append(begins, len(rows))))
        if (alike == callers)[rows].all() and keep_order(ops, rows, process[first[rows] + turn], int64(found)):
            found[rows] = process[first[rows] + turn]
            return int64(found), untold
        parts = np.split(rows, begins[1:])
        places = [slice(int(first[part[0]]), int(first[part[0]] + callers[part[0]])) for part in parts]
        asked_ns = calls.start_ns[order]
        numbers = [
            (int64(part), process[place].tolist(), asked_ns[place].tolist())
            for part, place in zip(parts, places, strict=True)
        ]
        told = share_out(ops, numbers, int64(found))
        found[list(told.process)] = list(told.process.values())
        untold[told.untold] = True
    return int64(found), untold


def _places(among: I64, values: I64) -> tuple[I64, I64]:
    """Where each value begins in a sorted column, and how often it stands there."""
    first = np.searchsorted(among, values, side="left")
    return int64(first), int64(np.searchsorted(among, values, side="right") - first)


def _on_several(op: I64, device: I64) -> Bools:
    """Which correlations ops of several devices bear."""
    order = np.lexsort((device, op))
    number, on = op[order], device[order]
    apart = (number[1:] == number[:-1]) & (on[1:] != on[:-1])
    return np.isin(op, number[1:][apart])


def _without(column: I64, values: list[int]) -> I64:
    return int64(np.where(np.isin(column, int64(values)), NO_CORRELATION, column))


def _joins(ops: DeviceOps, calls: HostCalls, value: int) -> bool:
    own = np.flatnonzero(calls.correlation == value)
    if not len(own) or np.count_nonzero(ops.correlation == value) != 1:
        return False
    start, end = calls.start_ns[own], calls.end_ns[own]
    outer = bool(((start == start.min()) & (end == end.max())).any())
    return outer and bool((calls.thread[own] == calls.thread[own[0]]).all())

"""Which correlations join an op to a call, and which are a writer's way to say that there is none.

CUPTI numbers from 1 on, and 0 means unknown; others number from 0 on, or write -1 for none. A number below 1 is an id
where one op bears it and one call does, with those that lie inside that call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
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


def launching_process(correlation: Correlations, device: I64, process_of_call: I64) -> I64:
    """The process whose calls alone bear each op's correlation; -1 where several do, or none.

    Where ops of several devices bear one, one of them at least was launched by somebody whose call was not recorded.

    Args:
        correlation: of ops and of calls.
        device: of each op.
        process_of_call: the number of each call's process.
    """
    op, call = correlation.of_ops, correlation.of_calls
    known = np.flatnonzero(call != NO_CORRELATION)
    order = known[np.lexsort((process_of_call[known], call[known]))]
    number, process = call[order], process_of_call[order]
    first = np.searchsorted(number, op, side="left")
    last = np.searchsorted(number, op, side="right") - 1
    found = last >= first
    low, high = (process[np.where(found, place, 0)] if len(process) else np.zeros_like(op) for place in (first, last))
    known_op = (op != NO_CORRELATION) & ~_on_several(op, device)
    return int64(np.where(found & (low == high) & known_op, low, -1))


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

"""A part of a trace by when it was asked for on the host: the steady part of a server's, or one request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.launches import find_launches
from tracer.document.errors import InputError
from tracer.packed import chosen

if TYPE_CHECKING:
    from typing import TypeVar

    from tracer.arrays import Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Details, DeviceOps, HostCalls, Spans, Trace

    Columns = TypeVar("Columns", DeviceOps, HostCalls)


def request_part(trace: Trace, ranges: StageRanges, request: int) -> tuple[Trace, StageRanges]:
    """What one request asked for, and its stages.

    Args:
        trace: whole.
        ranges: its stages.
        request: as the stages number it.

    Raises:
        InputError: there is no such request, or the stages are not told by request.
    """
    own = ranges.of_request(request)
    if not len(own):
        there = sorted(set(ranges.request[ranges.request >= 0].tolist()))
        has = f"it has {_listed(there)}" if there else "nothing in it tells requests apart"
        raise InputError(f"{trace.path}: no request {request}; {has}")
    start, end = own.open_times()
    part, _ = within(trace, int(start.min()), int(end.max()))
    return part, own


def _listed(numbers: list[int]) -> str:
    if len(numbers) > 1 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers[:20])) + (", ..." if len(numbers) > 20 else "")


def within(trace: Trace, start_ns: int, end_ns: int) -> tuple[Trace, Bools]:
    """What was asked for in a window of the host, and which ops that is.

    Of ops without a launch record those count that ran between the first and the last of these.

    Args:
        trace: whole.
        start_ns, end_ns: of the window.

    Returns:
        The trace with what was asked for there, and of each op of the whole whether it is in it.
    """
    call = find_launches(trace)
    asked_ns = np.append(trace.calls.start_ns, np.iinfo(np.int64).min)[call]
    ops = np.asarray((call >= 0) & (asked_ns >= start_ns) & (asked_ns < end_ns), dtype=np.bool_)
    if ops.any():
        begun, over = trace.ops.start_ns[ops].min(), trace.ops.end_ns[ops].max()
        ops |= (call < 0) & (trace.ops.start_ns >= begun) & (trace.ops.end_ns <= over)
    calls = np.asarray((trace.calls.start_ns >= start_ns) & (trace.calls.start_ns < end_ns), dtype=np.bool_)

    def open_in(spans: Spans) -> Bools:
        return np.asarray((spans.end_ns > start_ns) & (spans.start_ns < end_ns), dtype=np.bool_)

    operators = open_in(trace.cpu_ops)
    return replace(
        trace,
        ops=_rows(trace.ops, ops),
        calls=_rows(trace.calls, calls),
        ranges=trace.ranges[open_in(trace.ranges)],
        cpu_ops=trace.cpu_ops[operators],
        modules=trace.modules[open_in(trace.modules)],
        generation=trace.generation[open_in(trace.generation)],
        stopped=None if trace.stopped is None else trace.stopped[open_in(trace.stopped)],
        details=None if trace.details is None else _details(trace.details, ops, calls, operators),
        launched=None if trace.launched is None else trace.launched[ops],
    ), ops


def _rows(columns: Columns, rows: Bools) -> Columns:
    """Some rows of all columns."""
    return chosen(columns, rows)


def _details(details: Details, ops: Bools, calls: Bools, operators: Bools) -> Details:
    return replace(
        details,
        of_op=details.of_op[ops],
        of_call=details.of_call[calls],
        of_operator=details.of_operator[operators],
        shape=details.shape[operators],
    )

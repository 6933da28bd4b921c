"""Arrows from launches to device ops (category `ac2g`): the fallback where correlation ids are missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.arrays import I64
    from tracer.trace.columns import DeviceOps, HostCalls, Trace


@dataclass(frozen=True, slots=True)
class Flows:
    """The two ends of each arrow.

    Attributes:
        time_ns: where the end stands: at the start of a call or of an op.
        is_end: whether it is the end at the op.
        id: what the two ends share.
        thread: the track of each end, an index into `threads`.
        threads: (process, thread) ids, as in `Trace.threads`.
    """

    time_ns: I64
    is_end: I64
    id: I64
    thread: I64
    threads: list[tuple[str, str]]


def lack_correlation(trace: Trace) -> bool:
    """Whether arrows could help this trace."""
    return bool(len(trace.calls)) and bool((trace.ops.correlation == NO_CORRELATION).any())


def follow(trace: Trace, flows: Flows, tracks: Sequence[tuple[str, str]]) -> Trace:
    """Give ops without a correlation that of the call their arrow comes from, or a new one to both.

    Args:
        trace: with ops and calls.
        flows: its arrows.
        tracks: (process, thread) ids of each op, as in `Flows.threads`.
    """
    ops, calls = trace.ops, trace.calls
    launch_of_flow = dict(_launches(calls, flows, trace.threads))
    op_correlation, call_correlation = ops.correlation.copy(), calls.correlation.copy()
    fresh = int(max(op_correlation.max(initial=0), call_correlation.max(initial=0))) + 1
    for op, flow in _arrivals(ops, flows, tracks):
        call = launch_of_flow.get(flow)
        if call is None:
            continue
        if call_correlation[call] == NO_CORRELATION:
            call_correlation[call] = fresh
            fresh += 1
        op_correlation[op] = call_correlation[call]
    return replace(
        trace,
        ops=replace(ops, correlation=op_correlation),
        calls=replace(calls, correlation=call_correlation),
    )


def _launches(calls: HostCalls, flows: Flows, threads: list[tuple[str, str]]) -> list[tuple[int, int]]:
    """Flow id and index of the call at its beginning."""
    numbers = {thread: number for number, thread in enumerate(threads)}
    starts = np.flatnonzero(flows.is_end == 0)
    thread = int64([numbers.get(flows.threads[number], -1) for number in flows.thread[starts].tolist()])
    by_place = {
        place: call for call, place in enumerate(zip(calls.thread.tolist(), calls.start_ns.tolist(), strict=True))
    }
    places = zip(thread.tolist(), flows.time_ns[starts].tolist(), flows.id[starts].tolist(), strict=True)
    return [(flow, call) for number, time, flow in places if (call := by_place.get((number, time))) is not None]


def _arrivals(ops: DeviceOps, flows: Flows, tracks: Sequence[tuple[str, str]]) -> list[tuple[int, int]]:
    """Index of each op without correlation, and the id of the flow that ends at its start."""
    ends = np.flatnonzero(flows.is_end == 1)
    stands = zip(flows.thread[ends].tolist(), flows.time_ns[ends].tolist(), flows.id[ends].tolist(), strict=True)
    flow_at = {(flows.threads[thread], time): flow for thread, time, flow in stands}
    missing = np.flatnonzero(ops.correlation == NO_CORRELATION)
    places = [(tracks[op], time) for op, time in zip(missing.tolist(), ops.start_ns[missing].tolist(), strict=True)]
    return [(op, flow_at[place]) for op, place in zip(missing.tolist(), places, strict=True) if place in flow_at]

"""What each stage range asked of the device: launches, kernels, waits, and bytes copied each way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct, outermost, sum_by
from tracer.charge.spans import innermost_span
from tracer.document.summary import Counts
from tracer.packed import pieces
from tracer.trace.api import copies_to_device, copies_to_host, launches_graph, synchronises
from tracer.trace.columns import OpKind, Want

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.arrays import I32, I64
    from tracer.charge.lost import LostWork
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

NEEDS = Want.SUMMARY


@dataclass(frozen=True, slots=True)
class RangeCounts:
    """One row for each stage range.

    Attributes:
        launches: host calls that put work on a device; the replay of a graph is one.
        graphs: graph replays among them.
        lost: launches among them of whose work nothing was recorded.
        kernels: kernels among that work.
        waits: synchronising calls, of nested ones the outer.
        wait_ns: how long those took on the host.
        to_device_bytes, to_host_bytes: copied between host and device.
        unrecorded: whether the trace holds no work at all.
    """

    launches: I64
    graphs: I64
    lost: I64
    kernels: I64
    waits: I64
    wait_ns: I64
    to_device_bytes: I64
    to_host_bytes: I64
    unrecorded: bool = False

    def of(self, ranges: I64) -> Counts:
        """The sums over some ranges."""
        recorded = not self.unrecorded and not self.lost[ranges].any()
        return Counts(
            launches=int(self.launches[ranges].sum()),
            graphs=int(self.graphs[ranges].sum()),
            kernels=int(self.kernels[ranges].sum()) if recorded else None,
            waits=int(self.waits[ranges].sum()),
            wait_ns=int(self.wait_ns[ranges].sum()),
            to_device_bytes=int(self.to_device_bytes[ranges].sum()) if recorded else None,
            to_host_bytes=int(self.to_host_bytes[ranges].sum()) if recorded else None,
        )


def count(trace: Trace, ranges: StageRanges, work: Work, lost: LostWork | None = None) -> RangeCounts:
    """Count the calls that start inside each range on its thread, and the device work they launched."""
    size = len(ranges)
    calls = trace.calls
    stage_of_call = np.full(len(calls), -1, dtype=np.int32)
    kernels, copies, begin = int64(np.zeros(size)), [int64([])], 0
    for stage, call, kind in zip(*(pieces(work, name) for name in ("stage", "call", "kind")), strict=True):
        held = np.flatnonzero((stage >= 0) & (call >= 0))
        stage_of_call[call[held]] = stage[held]
        kernels += _tally(stage[held[kind[held] == OpKind.KERNEL]], size)
        copies.append(held[kind[held] == OpKind.MEMCPY] + begin)
        begin += len(stage)
    if lost is not None:
        stage_of_call[lost.calls] = lost.stage
    known = np.array([launches_graph(name) for name in trace.strings], dtype=np.bool_)
    replays = stage_of_call[known[calls.name]] if len(calls) else stage_of_call
    waits = outermost_waits(trace)
    place = innermost_span(ranges, calls.start_ns[waits], int64(calls.thread[waits]))
    inside = place >= 0
    return RangeCounts(
        launches=_tally(stage_of_call[stage_of_call >= 0], size),
        graphs=_tally(replays[replays >= 0], size),
        lost=int64(np.zeros(size)) if lost is None else lost.of_ranges(size),
        kernels=kernels,
        waits=_tally(place[inside], size),
        wait_ns=sum_by(place[inside], (calls.end_ns - calls.start_ns)[waits[inside]], size),
        to_device_bytes=_bytes(trace, work, np.concatenate(copies), copies_to_device, size),
        to_host_bytes=_bytes(trace, work, np.concatenate(copies), copies_to_host, size),
        unrecorded=not len(work),
    )


def outermost_waits(trace: Trace) -> I64:
    """The synchronising calls that are not inside another on their thread."""
    calls = trace.calls
    known = np.array([synchronises(name) for name in trace.strings], dtype=np.bool_)
    rows = np.flatnonzero(known[calls.name]) if len(calls) else int64([])
    found = []
    for thread in distinct(calls.thread[rows]):
        own = rows[calls.thread[rows] == thread]
        found.append(own[outermost(calls.start_ns[own], calls.end_ns[own])])
    return np.concatenate(found) if found else rows


def _tally(keys: I64 | I32, size: int) -> I64:
    return int64(np.bincount(keys, minlength=size)) if size else int64([])


def _bytes(trace: Trace, work: Work, copies: I64, told: Callable[[str], object], size: int) -> I64:
    names = {name for name in distinct(work.name[copies]) if told(trace.strings[name])}
    chosen = copies[np.isin(work.name[copies], list(names))]
    return sum_by(work.stage[chosen], work.size_bytes[chosen], size)

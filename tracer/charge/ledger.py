"""The ledger: every nanosecond of every device's window, charged to the op that it belongs to.

Busy: an instant covered by several ops goes to the one that started first, then to the lower stream, then to
the lower correlation. Idle: a gap goes to the op that ends it, by cause; but what of it lies where no stage and no
request is open on any thread is nobody's, for nobody had asked for anything. So busy time, idle time and what lies
between requests are the window, exactly; `charge_device_ops` checks it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracer.arrays import ascending, int32, int64, is_ascending, rows_of_each
from tracer.charge.intervals import Cover, Nest, distinct, grouped, running_end, sum_by
from tracer.document.errors import InputError
from tracer.packed import BLOCK, Blocks, Scattered, kept, narrow, narrow_columns, pieces, some
from tracer.trace.api import synchronises

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracer.arrays import I32, I64, Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import DeviceOps, Spans, Trace

# Sums of durations must stay inside 64 bits; a century is far beyond any honest trace.
LONGEST_TOTAL_NS = 100 * 365 * 86_400 * 10**9


@narrow_columns
@dataclass(frozen=True, slots=True)
class Ledger:
    """What each op (or CPU operator) is charged with; one row an op.

    Attributes:
        busy_ns: its share of the time in which anything ran; of a CPU operator its self time.
        host_ns, sync_ns, launch_ns, unknown_ns: the gap it ended, by cause, as far as a stage or a request was open.
        between_ns: the rest of that gap.
    """

    busy_ns: I64
    host_ns: I64
    sync_ns: I64
    launch_ns: I64
    unknown_ns: I64
    between_ns: I64

    @property
    def charged_ns(self) -> int:
        """Busy and idle time of all, and what lies between."""
        return sum(int(piece.sum()) for field in fields(self) for piece in pieces(self, field.name))

    def columns(self) -> dict[str, Any]:
        """Its columns, as they are kept."""
        return {field.name: kept(self, field.name) for field in fields(self)}


def charge_device_ops(trace: Trace, call: I64, ranges: StageRanges, off: Bools | None = None) -> Ledger:
    """Charge every device's window to its ops.

    Args:
        trace: with ops and calls.
        call: of each op the index of its launch, -1 without a record.
        ranges: the trace's stages; without any, nothing is between requests.
        off: which ops are of a device whose clock is off: of its gaps nothing tells what lies between requests.

    Raises:
        InputError: the times are too wild to be added up.
    """
    ops = trace.ops
    count = len(ops)
    _refuse_centuries(trace, ops.start_ns, ops.end_ns, tracks=len(distinct(ops.device)))
    orders = [_in_order(ops, rows) for rows in recorded_windows(trace, ops.device, ops.start_ns)]
    busy, gap = Scattered(count), Scattered(count)
    windows_ns = 0
    for order in orders:
        reach_ns = first_ns = int(some(ops, "start_ns", order[:1])[0])
        # In pieces: all together take many times their own memory.
        for at in range(0, len(order), BLOCK):
            own = order[at : at + BLOCK]
            start, end = some(ops, "start_ns", own), some(ops, "end_ns", own)
            reach = np.maximum(running_end(end), reach_ns)
            gap.put(own, np.maximum(start - reach, 0))
            busy.put(own, np.maximum(end - np.maximum(start, reach), 0))
            reach_ns = max(reach_ns, int(end.max()))
        windows_ns += reach_ns - first_ns
    del orders
    opened = _opened(ranges, ops)
    ledger = Ledger(narrow(busy.column()), *_by_cause(trace, call, gap, opened, off))
    _check_conserved(ledger, windows_ns)
    return ledger


def _in_order(ops: DeviceOps, rows: I32) -> I32:
    """Ops as they began; those that began together by their stream and correlation."""
    start = ops.start_ns[rows]
    if (start[1:] > start[:-1]).all():
        return rows
    if is_ascending(start):
        rows = rows.copy()
    else:
        rows = rows[np.argsort(start, kind="stable")]
        start.sort()
    same = start[1:] == start[:-1]
    together = np.flatnonzero(np.append(same, False) | np.append(False, same))
    own = rows[together]
    rows[together] = own[np.lexsort((ops.correlation[own], ops.stream[own], start[together]))]
    return rows


def _by_cause(trace: Trace, call: I64, gap_ns: Scattered, opened: Cover, off: Bools | None) -> Iterator[Any]:
    """The last five columns of the ledger, packed.

    Args:
        trace, call, off: see `charge_device_ops`.
        gap_ns: how long before each op nothing ran.
        opened: when a stage or a request is open.
    """
    waits = _waits(trace, opened)
    begun = trace.calls.start_ns if len(trace.calls) else int64([0])  # of an op without a call anything will do
    host, sync, launch, unknown, between = found = [Blocks(np.int64) for _ in range(5)]
    for number, high in enumerate(pieces(trace.ops, "start_ns")):
        piece = slice(number * BLOCK, (number + 1) * BLOCK)
        own, low = call[piece], high - gap_ns.part(piece)
        launched = own >= 0
        called = np.clip(begun[own], low, high)
        held = opened.within(low, high)
        held = held if off is None else np.where(off[piece], high - low, held)
        before_call = np.where(launched, opened.within(low, called), 0)
        waited = _waited(trace, own, low, called, waits)
        host.add(before_call - waited)
        sync.add(waited)
        launch.add(np.where(launched, held - before_call, 0))
        unknown.add(np.where(launched, 0, held))
        between.add(high - low - held)
    return (narrow(column.column()) for column in found)


def _refuse_centuries(trace: Trace, start_ns: I64, end_ns: I64, *, tracks: int) -> None:
    """Refuse what could leave 64 bits when added up; a wild timestamp or duration does that."""
    durations = sum(
        float((end_ns[at : at + BLOCK] - start_ns[at : at + BLOCK]).astype(np.float64).sum())
        for at in range(0, len(start_ns), BLOCK)
    )
    windows = tracks * (float(end_ns.max()) - float(start_ns.min())) if tracks else 0.0
    if max(durations, windows) > LONGEST_TOTAL_NS:
        raise InputError(f"{trace.path}: its times span or add up to more than a century; one is damaged")


def _check_conserved(ledger: Ledger, windows_ns: int) -> None:
    """The law of this module; a failure is a defect of ours, never of the trace."""
    if ledger.charged_ns != windows_ns:
        raise AssertionError(f"charged {ledger.charged_ns} ns of a window of {windows_ns} ns")


def recorded_windows(trace: Trace, track: I64, start_ns: I64) -> Iterator[I32]:
    """The rows of each track (a device, a thread) in each capture.

    Between captures nothing was recorded, so nothing is charged.
    """
    if len(trace.captures) < 2:
        del start_ns  # which may be the only one that knows it
        if len(track) and (track == track[0]).all():
            yield np.arange(len(track), dtype=np.int32)
        else:
            yield from (int32(rows) for _, rows in rows_of_each(track))
        return
    capture = np.empty(len(track), dtype=np.int32)
    for at in range(0, len(track), BLOCK):
        capture[at : at + BLOCK] = np.searchsorted(trace.captures, start_ns[at : at + BLOCK], side="right") - 1
    np.maximum(capture, 0, out=capture)  # what began before the first capture belongs to it
    if len(track) and (track == track[0]).all():
        yield from (int32(rows) for _, rows in rows_of_each(capture))
        return
    for _, own in rows_of_each(track):
        yield from (int32(own[rows]) for _, rows in rows_of_each(capture[own]))


def _opened(ranges: StageRanges, work: DeviceOps | Spans) -> Cover:
    """When a stage or a request is open; always, while this work runs, in a trace without stages."""
    if len(ranges):
        return Cover.of(*ranges.open_times())
    start_ns, end_ns = work.start_ns, work.end_ns
    return (
        Cover.of(start_ns.min(keepdims=True), end_ns.max(keepdims=True))
        if len(start_ns)
        else Cover.of(start_ns, end_ns)
    )


class _Wait(NamedTuple):
    """When a thread waits in synchronising calls, and how long it has before while a stage or a request is open."""

    waits: Cover
    before_ns: I64
    opened: Cover

    @classmethod
    def of(cls, waits: Cover, opened: Cover) -> _Wait:
        """Of these waits, of which there is one at least."""
        held = opened.within(waits.start_ns, waits.end_ns)
        return cls(waits, int64(np.cumsum(held) - held), opened)

    def within(self, start_ns: I64, end_ns: I64) -> I64:
        """How long it waits so inside each [start, end)."""
        return int64(self._until(end_ns) - self._until(start_ns))

    def _until(self, times_ns: I64) -> I64:
        place = np.searchsorted(self.waits.start_ns, times_ns, side="right") - 1
        last = np.maximum(place, 0)
        partly = self.opened.within(self.waits.start_ns[last], np.minimum(times_ns, self.waits.end_ns[last]))
        return int64(np.where(place >= 0, self.before_ns[last] + partly, 0))


def _waits(trace: Trace, opened: Cover) -> dict[int, _Wait]:
    """When each thread waits that does."""
    calls = trace.calls
    waits = np.array([synchronises(name) for name in trace.strings], dtype=np.bool_)
    waiting = np.flatnonzero(waits[calls.name]) if len(calls) else int64([])
    start_ns, end_ns = calls.start_ns[waiting], calls.end_ns[waiting]
    return {
        thread: _Wait.of(Cover.of(start_ns[own], end_ns[own]), opened)
        for thread, own in grouped(calls.thread[waiting]).items()
    }


def _waited(trace: Trace, call: I64, gap_start_ns: I64, called_ns: I64, waits: Mapping[int, _Wait]) -> I64:
    """How long each op's thread waited in its gap before the launch.

    Ops without a launch record or without such a gap get 0.
    """
    waited = np.zeros(len(call), dtype=np.int64)
    launched = np.flatnonzero((call >= 0) & (called_ns > gap_start_ns))
    for thread, own in grouped(trace.calls.thread[call[launched]]).items():
        if thread in waits:
            rows = launched[own]
            waited[rows] = waits[thread].within(gap_start_ns[rows], called_ns[rows])
    return waited


def charge_operators(trace: Trace, ranges: StageRanges) -> Ledger:
    """Charge CPU operators with their self time: each instant goes to the innermost operator on its thread.

    A gap between operators goes to the one that ends it, as time the host spent outside operators, as far as a stage
    or a request was open.

    Raises:
        InputError: the times are too wild to be added up.
    """
    spans = trace.cpu_ops
    size = len(spans)
    _refuse_centuries(trace, spans.start_ns, spans.end_ns, tracks=len(distinct(spans.thread)))
    self_ns, gap_start, gap_end = (np.zeros(size, dtype=np.int64) for _ in range(3))
    windows_ns = 0
    starts, ends = spans.start_ns, spans.end_ns
    for rows in recorded_windows(trace, int64(spans.thread), starts):
        self_ns[rows] = _self_times(starts[rows], ends[rows])
        order = rows[np.lexsort((-ends[rows], starts[rows]))]
        start, end = starts[order], ends[order]
        reach = running_end(end)
        reach[0] = start[0]
        gap_start[order] = np.minimum(reach, start)
        gap_end[order] = start
        windows_ns += int(end.max() - start[0])
    held = _opened(ranges, spans).within(gap_start, gap_end)
    nothing = np.zeros(size, dtype=np.int64)
    ledger = Ledger(
        busy_ns=self_ns,
        host_ns=held,
        sync_ns=nothing,
        launch_ns=nothing,
        unknown_ns=nothing,
        between_ns=gap_end - gap_start - held,
    )
    _check_conserved(ledger, windows_ns)
    return ledger


def _self_times(start: I64, end: I64) -> I64:
    """Time of each operator of a thread in which it is the innermost."""
    edges = ascending(np.concatenate([start, end]))
    owner = Nest.of(start, end).innermost(edges[:-1])
    owned = np.flatnonzero(owner >= 0)
    return sum_by(owner[owned], np.diff(edges)[owned], len(start))

"""The ledger: every nanosecond of every device's window, charged to the op that it belongs to.

Busy: an instant covered by several ops goes to the one that started first, then to the lower stream, then to
the lower correlation. Idle: a gap goes to the op that ends it, by cause; but what of it lies where no stage and no
request is open on any thread is nobody's, for nobody had asked for anything. So busy time, idle time and what lies
between requests are the window, exactly; `charge_device_ops` checks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tracer.arrays import ascending, compact, int64
from tracer.charge.intervals import PIECE, Cover, Nest, distinct, grouped, running_end, sum_by
from tracer.document.errors import InputError
from tracer.trace.api import synchronises

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.arrays import I64, Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Spans, Trace

# Sums of durations must stay inside 64 bits; a century is far beyond any honest trace.
LONGEST_TOTAL_NS = 100 * 365 * 86_400 * 10**9


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
        columns = (self.busy_ns, self.host_ns, self.sync_ns, self.launch_ns, self.unknown_ns, self.between_ns)
        return int(sum(column.sum() for column in columns))


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
    busy, gap_start, gap_end = (np.zeros(count, dtype=np.int64) for _ in range(3))
    windows_ns = 0
    for rows in recorded_windows(trace, ops.device, ops.start_ns):
        order = rows[np.lexsort((rows, ops.correlation[rows], ops.stream[rows], ops.start_ns[rows]))]
        start, end = ops.start_ns[order], ops.end_ns[order]
        reach = running_end(end)
        reach[0] = start[0]
        busy[order] = np.maximum(end - np.maximum(start, reach), 0)
        gap_start[order] = np.minimum(reach, start)
        gap_end[order] = start
        windows_ns += int(end.max() - start[0])
    opened = _opened(ranges, ops.start_ns, ops.end_ns)
    ledger = Ledger(busy, *_by_cause(trace, call, gap_start, gap_end, opened, off))
    _check_conserved(ledger, windows_ns)
    return ledger


def _by_cause(
    trace: Trace, call: I64, gap_start_ns: I64, gap_end_ns: I64, opened: Cover, off: Bools | None
) -> tuple[I64, ...]:
    """The last five columns of the ledger; the gaps' own are written over."""
    count, waits = len(call), _waits(trace, opened)
    begun = trace.calls.start_ns if len(trace.calls) else int64([0])  # of an op without a call anything will do
    sync, launch, unknown = (np.zeros(count, dtype=np.int64) for _ in range(3))
    for at in range(0, count, PIECE):
        piece = slice(at, at + PIECE)
        own, low, high = call[piece], gap_start_ns[piece], gap_end_ns[piece]
        launched = own >= 0
        called = np.clip(begun[own], low, high)
        held = opened.within(low, high)
        held = held if off is None else np.where(off[piece], high - low, held)
        before_call = np.where(launched, opened.within(low, called), 0)
        sync[piece] = _waited(trace, own, low, called, waits)
        launch[piece] = np.where(launched, held - before_call, 0)
        if not launched.all():
            unknown[piece] = np.where(launched, 0, held)
        gap_end_ns[piece] = high - low - held
        gap_start_ns[piece] = before_call - sync[piece]
    host, between = gap_start_ns, gap_end_ns
    return host, sync, launch, compact(unknown), compact(between)


def _refuse_centuries(trace: Trace, start_ns: I64, end_ns: I64, *, tracks: int) -> None:
    """Refuse what could leave 64 bits when added up; a wild timestamp or duration does that."""
    durations = float((end_ns - start_ns).astype(np.float64).sum())
    windows = tracks * (float(end_ns.max()) - float(start_ns.min())) if tracks else 0.0
    if max(durations, windows) > LONGEST_TOTAL_NS:
        raise InputError(f"{trace.path}: its times span or add up to more than a century; one is damaged")


def _check_conserved(ledger: Ledger, windows_ns: int) -> None:
    """The law of this module; a failure is a defect of ours, never of the trace."""
    if ledger.charged_ns != windows_ns:
        raise AssertionError(f"charged {ledger.charged_ns} ns of a window of {windows_ns} ns")


def recorded_windows(trace: Trace, track: I64, start_ns: I64) -> list[I64]:
    """The rows of each track (a device, a thread) in each capture.

    Between captures nothing was recorded, so nothing is charged.
    """
    if not len(track):
        return []
    capture = np.zeros(len(track), dtype=np.int64)
    if len(trace.captures) > 1:
        # What began before the first capture belongs to it.
        capture = np.maximum(np.searchsorted(trace.captures, start_ns, side="right") - 1, 0)
    order = np.lexsort((capture, track))
    changes = np.flatnonzero((np.diff(track[order]) != 0) | (np.diff(capture[order]) != 0)) + 1
    return [int64(rows) for rows in np.split(order, changes)]


def _opened(ranges: StageRanges, start_ns: I64, end_ns: I64) -> Cover:
    """When a stage or a request is open; always, while this work runs, in a trace without stages."""
    if len(ranges):
        return Cover.of(*ranges.open_times())
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
    for rows in recorded_windows(trace, int64(spans.thread), spans.start_ns):
        self_ns[rows] = _self_times(spans, rows)
        order = rows[np.lexsort((-spans.end_ns[rows], spans.start_ns[rows]))]
        start, end = spans.start_ns[order], spans.end_ns[order]
        reach = running_end(end)
        reach[0] = start[0]
        gap_start[order] = np.minimum(reach, start)
        gap_end[order] = start
        windows_ns += int(end.max() - start[0])
    held = _opened(ranges, spans.start_ns, spans.end_ns).within(gap_start, gap_end)
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


def _self_times(spans: Spans, rows: I64) -> I64:
    """Time of each operator in which it is the innermost of its thread."""
    start, end = spans.start_ns[rows], spans.end_ns[rows]
    edges = ascending(np.concatenate([start, end]))
    owner = Nest.of(start, end).innermost(edges[:-1])
    owned = np.flatnonzero(owner >= 0)
    return sum_by(owner[owned], np.diff(edges)[owned], len(rows))

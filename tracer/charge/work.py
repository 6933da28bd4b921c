"""The table of work: one row for each piece of work, with who asked for it, its stage, and the time it is charged with.

What a device ran is the work of a trace. Of a trace without a device it is what the CPU's operators did; they are a
table of the same kind, so that nothing behind this file needs to know the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import compact, int8, int32, int64
from tracer.charge.attribution import attribute_operators, attribute_ops
from tracer.charge.clocks import clocks_of
from tracer.charge.launches import find_launches, process_of_thread
from tracer.charge.ledger import charge_device_ops, charge_operators
from tracer.charge.stages.reach import until_done
from tracer.packed import kept, minus, narrow, narrow_columns, plus, some, widened
from tracer.trace.columns import MISSING, NO_THREAD

if TYPE_CHECKING:
    from tracer.arrays import I8, I32, I64, Bools, Column
    from tracer.charge.clocks import Clocks
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import HostCalls, Trace

# Of operators: they ran on none.
NO_DEVICE = MISSING
NONE = -1


@narrow_columns
@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One row for each device op, or for each CPU operator of a trace without device ops; in the trace's order.

    What other columns tell is made anew for whoever asks: of a million ops, each column is eight megabytes.

    Attributes:
        on_device: whether the rows are device ops.
        name: index into the trace's strings.
        kind: an `OpKind`; NONE of operators.
        device: the device's id; NO_DEVICE of operators.
        track: the stream; of operators the thread.
        start_ns, end_ns: when it ran.
        size_bytes: moved by a copy or fill; 0 where unknown.
        calls: those of the host that launch work; None of operators, which ask for themselves.
        call: index of the host call that launched it; NONE without a record, and of operators.
        call_thread: on which thread it was asked for: that of the call; NO_THREAD without a record.
        stage: index of its stage range; NONE outside all.
        reason: a `Reason` why it has none.
        busy_ns: its share of the time in which anything ran; of an operator its self time.
        host_ns, sync_ns, launch_ns, unknown_ns: the gap it ended, by cause, as far as a stage or a request was open.
        between_ns: the rest of that gap, which is nobody's.
        clocks: how those of devices agree with the host's; None of operators.
    """

    on_device: bool
    name: I32
    kind: I8
    device: I64
    track: I64
    start_ns: I64
    end_ns: I64
    size_bytes: I64
    calls: HostCalls | None
    call: I64
    call_thread: I64
    stage: I64
    reason: I8
    busy_ns: I64
    host_ns: I64
    sync_ns: I64
    launch_ns: I64
    unknown_ns: I64
    between_ns: I64
    clocks: Clocks | None = None

    def __len__(self) -> int:
        return len(kept(self, "start_ns"))

    @property
    def time_ns(self) -> I64:
        """Its duration; of an operator its self time."""
        return self.busy_ns if self.calls is None else minus(self, "end_ns", "start_ns")

    def called_ns(self, rows: I64 | slice) -> I64:
        """When some of it was asked for; see `call_start_ns`."""
        if self.calls is None:
            return int64(some(self, "start_ns", rows))
        return int64(_of_call(self.calls.start_ns, some(self, "call", rows), 0))

    @property
    def call_start_ns(self) -> I64:
        """When it was asked for: the start of its call, 0 without a record; an operator asks for itself."""
        return self.called_ns(slice(None))

    @property
    def call_end_ns(self) -> I64:
        """The end of its call, 0 without a record; an operator's own."""
        return self.end_ns if self.calls is None else _of_call(self.calls.end_ns, self.call, 0)

    @property
    def call_name(self) -> I32:
        """The name of its call, index into the strings; NONE without one."""
        return int32(self.call) if self.calls is None else int32(_of_call(self.calls.name, self.call, NONE))

    @property
    def clock_is_off(self) -> bool:
        """Whether the clock of any device is off: its gaps are `unknown_ns`, and nothing may rest on when it idled."""
        return self.clocks is not None and self.clocks.off

    @property
    def idle_ns(self) -> I64:
        """Of the gap each ended, what it is charged with."""
        return plus(self, "host_ns", "sync_ns", "launch_ns", "unknown_ns")

    @property
    def gap_ns(self) -> I64:
        """The whole gap each ended."""
        return plus(self, "host_ns", "sync_ns", "launch_ns", "unknown_ns", "between_ns")

    @property
    def asked(self) -> Bools:
        """Of which it is known when and on which thread they were asked for."""
        return np.asarray(self.call_thread != NO_THREAD, dtype=np.bool_)

    @property
    def place(self) -> str:
        """Where it ran: "gpu" or "cpu"."""
        return "gpu" if self.on_device else "cpu"

    @property
    def noun(self) -> str:
        """Whose time is counted: "device" or "operator"."""
        return "device" if self.on_device else "operator"

    def stage_code(self, ranges: StageRanges) -> I64:
        """Of each the stage as an index into ALL_STAGES; NONE outside all."""
        if not len(ranges):
            return self.stage
        return int64(np.where(self.stage >= 0, ranges.stage[self.stage], NONE))


def work_of(trace: Trace, ranges: StageRanges, *, any_thread: bool = False) -> Work:
    """The work of a trace: its device ops if it has any, else its operators.

    Raises:
        InputError: the times are too wild to be added up.
    """
    if len(trace.ops):
        return work_of_ops(trace, ranges, any_thread=any_thread)
    return work_of_operators(trace, ranges)


def work_of_ops(trace: Trace, ranges: StageRanges, *, any_thread: bool = False) -> Work:
    """Join each device op to its launch, the launch to its stage, and charge every device's window to its ops.

    Args:
        trace: with ops and calls.
        ranges: its stages.
        any_thread: give launches of threads without ranges to the stage open elsewhere; see `attribute_ops`.

    Raises:
        InputError: the times are too wild to be added up.
    """
    ops, calls = trace.ops, trace.calls
    call = find_launches(trace)
    start_ns, thread = _of_call(calls.start_ns, call, 0), compact(int64(_of_call(calls.thread, call, NO_THREAD)))
    stage, reason = attribute_ops(start_ns, thread, ranges, process_of_thread(trace), any_thread=any_thread)
    stage = narrow(stage)
    del start_ns
    # A device whose clock is off says nothing of what its idle time waited for.
    clocks = clocks_of(trace, call)
    told = int64(np.where(clocks.distrusted, NONE, call)) if clocks.distrusted.any() else call
    ledger = charge_device_ops(
        trace, told, until_done(ranges, widened(stage), ops.end_ns) if ranges.engine else ranges, off=clocks.off_device
    )
    return Work(
        on_device=True,
        **{name: kept(ops, name) for name in ("name", "kind", "device", "start_ns", "end_ns", "size_bytes")},
        track=kept(ops, "stream"),
        calls=calls,
        call=call,
        call_thread=thread,
        stage=stage,
        reason=reason,
        **ledger.columns(),
        clocks=clocks,
    )


def _of_call(column: Column, call: I64, without: int) -> Column:
    """What a column of calls has of each call, and this of -1."""
    found = column[call] if len(column) else np.empty(len(call), dtype=column.dtype)
    found[call < 0] = without
    return found


def work_of_operators(trace: Trace, ranges: StageRanges) -> Work:
    """Charge each thread's window to its CPU operators; each belongs to the stage open on its thread when it began.

    Raises:
        InputError: the times are too wild to be added up.
    """
    spans = trace.cpu_ops
    thread = int64(spans.thread)
    stage, reason = attribute_operators(spans.start_ns, thread, ranges)
    ledger = charge_operators(trace, ranges)
    none = np.full(len(spans), NONE, dtype=np.int64)
    return Work(
        on_device=False,
        name=kept(spans, "name"),
        kind=int8(none),
        device=np.full(len(spans), NO_DEVICE, dtype=np.int64),
        track=thread,
        start_ns=kept(spans, "start_ns"),
        end_ns=kept(spans, "end_ns"),
        size_bytes=np.zeros(len(spans), dtype=np.int64),
        calls=None,
        call=none,
        call_thread=thread,
        stage=stage,
        reason=reason,
        **ledger.columns(),
    )

"""Each time that an allocator of a device gave memory or took it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import int64
from tracer.charge.layers import host_operators
from tracer.charge.memory import NEVER, freed_ns, of_device
from tracer.charge.spans import innermost_span
from tracer.tables.places import OF_STAGE, OF_THREAD, numbers, of_stage, of_thread, open_at
from tracer.tables.table import TEXT, Column, Known, Named, Table
from tracer.trace.columns import MISSING, MemoryEvents

if TYPE_CHECKING:
    from tracer.document.summary import Summary
    from tracer.summarize import Charged


def _rows(charged: Charged, _: Summary) -> dict[str, Any]:
    trace = charged.trace
    memory = MemoryEvents.none() if trace.memory is None else trace.memory
    rows = np.flatnonzero(of_device(memory))
    freed, own = freed_ns(trace, memory)[rows], memory[rows]
    operators = host_operators(trace)
    row = innermost_span(operators, own.time_ns, int64(own.thread))
    return {
        "event": numbers(len(own)),
        "time_ns": own.time_ns,
        "device": own.device,
        "size_bytes": own.size_bytes,
        "allocated_bytes": Known(own.allocated_bytes, own.allocated_bytes != MISSING),
        "reserved_bytes": Known(own.reserved_bytes, own.reserved_bytes != MISSING),
        "address": Known(own.address, own.address != MISSING),
        "freed_ns": Known(freed, freed != NEVER),
        "operator": Named(int64(np.append(operators.name, -1)[row]), trace.strings),
        **of_thread(trace, own.thread),
        **of_stage(charged.ranges, open_at(charged.ranges, own.time_ns, own.thread)),
    }


TABLE = Table(
    meaning="a change of what is allocated on a device, where allocators were recorded (profile_memory)",
    key=("event",),
    columns=(
        Column("event", "its number, in the order of time"),
        Column("time_ns", "when, on the trace's clock: as the host asked"),
        Column("device", "the device's number"),
        Column("size_bytes", "given; below 0 taken back"),
        Column("allocated_bytes", "allocated on the device behind it"),
        Column("reserved_bytes", "held by the allocator behind it, used or not"),
        Column("address", "where"),
        Column("freed_ns", "of what was given, when it was taken back"),
        Column("operator", "the innermost on the asking thread, where operators were read", TEXT),
        *OF_THREAD,
        *OF_STAGE,
    ),
    rows=_rows,
)

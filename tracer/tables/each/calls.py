"""Each call of the host into the device's runtime or driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import int64
from tracer.tables.places import OF_STAGE, OF_THREAD, OF_TIME, numbers, of_stage, of_thread, open_at
from tracer.tables.table import FLAG, TEXT, Column, Known, Named, Table
from tracer.trace.api import synchronises
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from tracer.document.summary import Summary
    from tracer.summarize import Charged


def _rows(charged: Charged, _: Summary) -> dict[str, Any]:
    trace, calls = charged.trace, charged.trace.calls
    waits = np.array([synchronises(name) for name in trace.strings], dtype=np.bool_)
    return {
        "call": numbers(len(calls)),
        "name": Named(int64(calls.name), trace.strings),
        **of_thread(trace, calls.thread),
        "start_ns": calls.start_ns,
        "end_ns": calls.end_ns,
        "correlation": Known(calls.correlation, calls.correlation != NO_CORRELATION),
        "waits": waits[calls.name] if len(calls) else waits[:0],
        **of_stage(charged.ranges, open_at(charged.ranges, calls.start_ns, calls.thread)),
    }


TABLE = Table(
    meaning="a call of the host into the device's runtime or driver",
    key=("call",),
    columns=(
        Column("call", "its number in the trace"),
        Column("name", "of the function", TEXT),
        *OF_THREAD,
        *OF_TIME,
        Column("correlation", "what joins it to its work in the file"),
        Column("waits", "whether such a call returns only when the device has caught up", FLAG),
        *OF_STAGE,
    ),
    rows=_rows,
)

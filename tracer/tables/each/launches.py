"""Each call that put work on a device, beside that work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import sum_by
from tracer.tables.places import OF_STAGE, OF_THREAD, OF_TIME, of_stage, of_thread
from tracer.tables.table import TEXT, Column, Named, Table

if TYPE_CHECKING:
    from tracer.document.summary import Summary
    from tracer.summarize import Charged


def _rows(charged: Charged, _: Summary) -> dict[str, Any]:
    trace, work, calls = charged.trace, charged.work, charged.trace.calls
    launched = np.flatnonzero(work.call >= 0)
    order = launched[np.argsort(work.call[launched], kind="stable")]
    own = work.call[order]
    begins = np.flatnonzero(np.append(True, own[1:] != own[:-1])) if len(own) else int64([])
    call = int64(own[begins])
    first_ns = np.minimum.reduceat(work.start_ns[order], begins) if len(begins) else int64([])
    last_ns = np.maximum.reduceat(work.end_ns[order], begins) if len(begins) else int64([])
    group = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(order))))
    return {
        "call": call,
        "name": Named(int64(calls.name[call]), trace.strings),
        **of_thread(trace, calls.thread[call]),
        "start_ns": calls.start_ns[call],
        "end_ns": calls.end_ns[call],
        "ops": np.bincount(group, minlength=len(begins)),
        "device_time_ns": sum_by(int64(group), work.time_ns[order], len(begins)),
        "first_op_start_ns": first_ns,
        "last_op_end_ns": last_ns,
        **of_stage(charged.ranges, int64(work.stage[order][begins])),
    }


TABLE = Table(
    meaning="a call that launched work which was recorded: a kernel, a copy, a fill, or a whole graph",
    key=("call",),
    columns=(
        Column("call", "its number in `calls`"),
        Column("name", "of the function", TEXT),
        *OF_THREAD,
        *OF_TIME,
        Column("ops", "how many it launched; the replay of a graph launches many"),
        Column("device_time_ns", "their durations added up"),
        Column("first_op_start_ns", "when the first of them began"),
        Column("last_op_end_ns", "when the last of them ended"),
        *OF_STAGE,
    ),
    rows=_rows,
)

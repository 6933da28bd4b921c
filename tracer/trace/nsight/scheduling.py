"""When threads did not run, as an export says it where context switches were recorded (`nsys profile --cpuctxsw`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int32
from tracer.trace.columns import MISSING, Spans
from tracer.trace.nsight.tables import LIMIT

if TYPE_CHECKING:
    from tracer.trace.nsight.database import Database
    from tracer.trace.nsight.names import Names
    from tracer.trace.nsight.tables import Threads

SWITCHES = ("SCHED_EVENTS", ("start", "isSchedIn", "globalTid"))
NOT_RUNNING = "not running"


def read_stopped(database: Database, threads: Threads, names: Names) -> Spans | None:
    """From each time that a thread was taken off its processor until it is on one again; None without switches.

    Args:
        database: the export.
        threads: that make calls or open ranges; others' switches are left out.
        names: numbers what the spans are called.

    Raises:
        InputError: the file is damaged.
    """
    start, on, thread = database.integers(*SWITCHES)
    usable = (start > -LIMIT) & (start < LIMIT) & (on != MISSING) & np.isin(thread, threads.keys)
    if not usable.any():
        return None
    start, on, thread = start[usable], on[usable], thread[usable]
    order = np.lexsort((start, thread))
    start, on, thread = start[order], on[order], thread[order]
    off = np.flatnonzero((on[:-1] == 0) & (on[1:] != 0) & (thread[:-1] == thread[1:]))
    name = np.full(len(off), names.number(NOT_RUNNING))
    return Spans(start[off], start[off + 1], int32(name), threads.number(thread[off]))

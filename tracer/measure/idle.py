"""Idle time by cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.summary import Idle

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.work import Work
    from tracer.measure.runs import Runs


def idle_of(charged: Runs | Work, rows: I64 | Bools) -> Idle:
    """Of some runs, or some pieces of work, added up."""
    return Idle(
        host_ns=int(charged.host_ns[rows].sum()),
        sync_ns=int(charged.sync_ns[rows].sum()),
        launch_ns=int(charged.launch_ns[rows].sum()),
        unknown_ns=int(charged.unknown_ns[rows].sum()),
    )

"""Columns out of rows of the summary document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.document.summary import StageMemory
from tracer.tables.table import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.summary import Stage, Token

IDLE = (
    Column("idle_host_ns", "of the idle time: nothing had been asked for yet"),
    Column("idle_sync_ns", "of it: the host waited for the device"),
    Column("idle_launch_ns", "of it: asked for, not yet running"),
    Column("idle_unknown_ns", "of it: nothing tells why"),
)
COUNTED = (
    Column("launches", "host calls that put work on a device"),
    Column("kernels", "kernels among that work"),
    Column("waits", "synchronising calls"),
    Column("wait_ns", "how long those took on the host"),
    Column("to_device_bytes", "copied from the host"),
    Column("to_host_bytes", "copied to the host"),
)

HELD = (
    Column("memory_start_bytes", "allocated on its device before it; the recorded allocations, else the clean pass"),
    Column("memory_peak_bytes", "the most inside it"),
    Column("memory_end_bytes", "at its end"),
)
# What of a row is unknown says so.
LOST = Column("lost_launches", "launches without their device ops; where there are any, what the device did is null")


def column(rows: Sequence[Any], name: str) -> list[Any]:
    """One attribute of each row."""
    return [getattr(row, name) for row in rows]


def idle(rows: Sequence[Stage | Token]) -> dict[str, list[Any]]:
    """The columns IDLE."""
    return {
        one.name: [None if row.idle is None else getattr(row.idle, one.name.removeprefix("idle_")) for row in rows]
        for one in IDLE
    }


def counted(rows: Sequence[Stage | Token]) -> dict[str, list[Any]]:
    """The columns COUNTED."""
    counts = [row.counts for row in rows]
    return {one.name: column(counts, one.name) for one in COUNTED}


def lost(rows: Sequence[Stage | Token]) -> dict[str, list[int]]:
    """The column LOST."""
    return {LOST.name: [row.lost.launches if row.lost else 0 for row in rows]}


def held(rows: Sequence[Stage | Token]) -> dict[str, list[Any]]:
    """The columns HELD."""
    known = [row.memory if isinstance(row.memory, StageMemory) else None for row in rows]
    return {
        one.name: [memory and getattr(memory, one.name.removeprefix("memory_")) for memory in known] for one in HELD
    }

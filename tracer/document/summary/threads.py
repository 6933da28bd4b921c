"""The host threads that asked for work."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from tracer.document.summary.lost import LostOps


class HostThread(msgspec.Struct, frozen=True, kw_only=True):
    """A host thread that launched work on a device.

    Attributes:
        process, thread: its numbers, as the file spells them.
        launches: calls of it that put work on a device.
        ops, device_time_ns: that work, as far as it was recorded; the time is None where some was not.
        ranges: annotations on it.
        silent: whether the profiler recorded nothing of it but its calls: no operator, range or Python frame, although
            it recorded some of another thread. None where operators were not looked at.
        lost: launches without their device ops; absent where there are none.
    """

    process: str
    thread: str
    launches: int
    ops: int
    device_time_ns: int | None
    ranges: int
    silent: bool | None = None
    lost: LostOps | UnsetType = UNSET

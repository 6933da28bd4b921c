"""The host threads that asked for work."""

from __future__ import annotations

import msgspec


class HostThread(msgspec.Struct, frozen=True, kw_only=True):
    """A host thread that launched work on a device.

    Attributes:
        process, thread: its numbers, as the file spells them.
        launches: calls of it that put work on a device.
        ops, device_time_ns: that work.
        ranges: annotations on it.
        silent: whether the profiler recorded nothing of it but its calls: no operator, range or Python frame, although
            it recorded some of another thread. None where operators were not looked at.
    """

    process: str
    thread: str
    launches: int
    ops: int
    device_time_ns: int
    ranges: int
    silent: bool | None = None

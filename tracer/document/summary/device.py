"""All work of the trace, and what of it belongs to no stage."""

from __future__ import annotations

import msgspec


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """One kernel (or operator) name."""

    name: str
    count: int
    time_ns: int


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Work that belongs to no stage, for one reason."""

    ops: int = 0
    time_ns: int = 0


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """Idle time by cause.

    Attributes:
        host_ns: the host had not asked for the next op yet.
        sync_ns: the host was waiting inside a synchronising call instead of asking.
        launch_ns: asked for, not yet running.
        unknown_ns: the next op has no launch record.
    """

    host_ns: int = 0
    sync_ns: int = 0
    launch_ns: int = 0
    unknown_ns: int = 0

    @property
    def total_ns(self) -> int:
        """All causes together."""
        return self.host_ns + self.sync_ns + self.launch_ns + self.unknown_ns


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What ranges asked of the device.

    Attributes:
        launches: host calls that put work on a device; the replay of a graph is one.
        graphs: graph replays among them.
        kernels: kernels among that work; None where some of it was not recorded, as of the bytes.
        waits: synchronising calls.
        wait_ns: how long those took on the host.
        to_device_bytes, to_host_bytes: copied between host and device.
    """

    launches: int = 0
    graphs: int = 0
    kernels: int | None = 0
    waits: int = 0
    wait_ns: int = 0
    to_device_bytes: int | None = 0
    to_host_bytes: int | None = 0


class Unattributed(msgspec.Struct, frozen=True, kw_only=True):
    """Work that belongs to no stage. `reasons` has "no_launch_record", "outside_ranges", "other_thread".

    `idle_ns` and `idle` are None where work that was not recorded may have run in that time.
    """

    ops: int
    time_ns: int
    busy_ns: int
    idle_ns: int | None
    reasons: dict[str, Reason]
    idle: Idle | None = Idle()


class DeviceTime(msgspec.Struct, frozen=True, kw_only=True):
    """The work of one device; `busy_ns` and `idle_ns` are its window, from its first op to its last.

    `idle_ns` is None where work that was not recorded may have run in that time.
    """

    id: int
    ops: int
    time_ns: int
    busy_ns: int
    idle_ns: int | None


class Between(msgspec.Struct, frozen=True, kw_only=True):
    """Idle time of devices in which no range of a stage or a request was open on any thread: between requests.

    None where work that was not recorded may have run in that time.
    """

    idle_ns: int | None = 0


class DeviceTotals(msgspec.Struct, frozen=True, kw_only=True):
    """All recorded work of the trace.

    Attributes:
        kind: "gpu", or "cpu" where the trace has no device ops and operators are charged by self time.
        ops: device ops, or operators.
        time_ns: sum of durations.
        busy_ns: time in which anything ran.
        idle_ns: the rest of each device's window: of the stages, the unattributed and between; None where work that was
            launched and not recorded may have run in it.
        unattributed: the part outside all stages.
        between: idle time that nobody asked for anything in.
        same_stream_overlap_ns: time that ops spent overlapping others on their own stream.
        same_stream_overlaps: how many did.
        categories: time by kernel category; "other" is what no rule knows.
        kernels: of a trace without stages, by name, most time first; with stages each has its own.
        each: the devices that worked, by id; none of a trace without device ops.
    """

    kind: str
    ops: int
    time_ns: int
    busy_ns: int
    idle_ns: int | None
    unattributed: Unattributed
    between: Between = Between()
    same_stream_overlap_ns: int = 0
    same_stream_overlaps: int = 0
    categories: dict[str, int] = {}
    kernels: list[Kernel] = []
    each: list[DeviceTime] = []

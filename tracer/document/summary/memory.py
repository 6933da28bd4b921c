"""Memory of devices, as their allocators reported it (`profile_memory`)."""

from __future__ import annotations

import msgspec


class StageMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that were allocated in a stage or a decode step, on the device of which it held the most.

    Attributes:
        start_bytes: before its first range.
        peak_bytes: the most, inside its ranges.
        end_bytes: at the end of its last range.
        peak_ns: when the peak was first reached, on the trace's clock.
        device: its number.
    """

    start_bytes: int
    peak_bytes: int
    end_bytes: int
    peak_ns: int
    device: int


class DeviceMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that were allocated on a device, over all that was recorded.

    Attributes:
        process: the host process whose allocator it is, as the file spells it.
        device: its number.
        start_bytes, peak_bytes, end_bytes: before the first event, the most, and behind the last.
        peak_ns: when the peak was first reached.
        peak_stage: in which stage that was; "" outside all.
        peak_token: in which decode step; None outside all.
        reserved_bytes: the most that the allocator held of the device, used or not; None where the file does not say.
        events: how often something was given or taken back.
        unrecorded: how often the total changed by something else than was recorded; then the peak may be higher.
    """

    process: str
    device: int
    start_bytes: int
    peak_bytes: int
    end_bytes: int
    peak_ns: int
    peak_stage: str
    peak_token: int | None
    reserved_bytes: int | None
    events: int
    unrecorded: int


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """Allocations of one size that were asked for alike.

    Attributes:
        size_bytes: of each.
        count: how many.
        at_peak: how many of them were held when their device's peak was reached.
        stage: in which they were asked for; "" outside all.
        operator, module: innermost on the asking thread; "" where none was open, or none was recorded.
        device: its number.
    """

    size_bytes: int
    count: int
    at_peak: int
    stage: str
    operator: str
    module: str
    device: int


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What the allocators of devices reported.

    Attributes:
        devices: a row for each.
        allocations: the largest, the largest first.
    """

    devices: list[DeviceMemory]
    allocations: list[Allocation]

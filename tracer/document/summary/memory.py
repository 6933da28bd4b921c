"""Memory of devices: as their allocators reported it (`profile_memory`), and as a recording's counters said."""

from __future__ import annotations

import msgspec


class StageMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that were allocated in a stage or a decode step, on the device of which it held the most.

    Attributes:
        start_bytes: before its first range.
        peak_bytes: the most, inside its ranges.
        end_bytes: at the end of its last range.
        peak_ns: when the peak was first reached, on the trace's clock; None where counters say it, which do not tell.
        device: its number; None likewise, of the one that was recorded.
        source: "trace" where each allocation was recorded, "clean" where the counters of the allocator were read in the
            pass without a profiler.
    """

    start_bytes: int
    peak_bytes: int
    end_bytes: int
    peak_ns: int | None
    device: int | None
    source: str = "trace"


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


class StageFootprint(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes on the device in one stage, in the request in which its peak was highest.

    Attributes:
        stage: its name.
        start_bytes, end_bytes: allocated where it begins and ends.
        peak_bytes: the most that was; None where nothing tells.
        reserved_bytes: the most that the allocator held of the device; None likewise.
        unused_bytes: of what it held at the stage's end, what nothing was allocated in.
    """

    stage: str
    start_bytes: int
    peak_bytes: int | None
    end_bytes: int
    reserved_bytes: int | None
    unused_bytes: int

    @property
    def needs_bytes(self) -> int | None:
        """What its peak is above what was there before: activations, and what it leaves behind."""
        return None if self.peak_bytes is None else self.peak_bytes - self.start_bytes


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording without a profiler holds of its device's memory, by the counters of the allocator.

    Attributes:
        stages: in the order of a request.
        before_bytes: allocated before a request: weights, and what else stays.
        weight_bytes: of all parameters; None where the model does not show them.
        kv_token_bytes: by which a decode step makes the held memory grow, for one sequence, measured; None where too
            few steps were read, or without `sequences`.
        kv_token_expected_bytes: keys and values of one token of one sequence, by the model's configuration; None where
            that does not tell.
        kv_ahead: whether the cache was allocated before the first request, so that steps do not make it grow.
        device_bytes: of the device, all in all; None where nothing tells.
        outside_bytes: in use on it and not the allocator's; None likewise.
        sequences, tokens: of the request that took the most: its batch, None where nobody says it, and tokens of each,
            visual, prompt and new.
    """

    stages: list[StageFootprint]
    before_bytes: int
    weight_bytes: int | None
    kv_token_bytes: float | None
    kv_token_expected_bytes: int | None
    kv_ahead: bool
    device_bytes: int | None
    outside_bytes: int | None
    sequences: int | None
    tokens: int

    @property
    def highest(self) -> StageFootprint | None:
        """The stage with the highest peak."""
        known = [stage for stage in self.stages if stage.peak_bytes is not None]
        return max(known, key=lambda stage: stage.peak_bytes or 0, default=None)

    @property
    def reserved_bytes(self) -> int | None:
        """The most that the allocator held of the device."""
        return max((one.reserved_bytes for one in self.stages if one.reserved_bytes is not None), default=None)

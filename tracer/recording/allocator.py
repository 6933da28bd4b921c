"""Memory of a device by its allocator's own counters, read at the marks of a pass without a profiler.

The counters are the host's, and reading them waits for nothing; benchmarks/gpu_memory_energy.py times it. They are
read where a stage begins or ends, and at a few decode steps (`is_read_at`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec
import torch

from tracer.document.names import DECODE
from tracer.document.recorded_memory import RequestMemory, StageBytes, StepBytes
from tracer.recording.marks import Marks
from tracer.recording.world.world import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Reading:
    """What the counters say: bytes now, and the most since peaks were forgotten last."""

    allocated: int
    allocated_peak: int
    reserved: int
    reserved_peak: int
    requested: int


class Counters(Protocol):
    """An allocator's counters."""

    def read(self) -> Reading:
        """What they say now; waits for nothing."""
        ...

    def forget_peaks(self) -> None:
        """Peaks begin anew from what is held now."""
        ...


class TorchCounters:
    """Those of PyTorch's allocator for CUDA and HIP."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def read(self) -> Reading:
        """What they say now."""
        # torch.cuda.memory_stats flattens and sorts all of this in Python besides.
        found = torch.cuda.memory_stats_as_nested_dict(self._device)
        allocated, reserved, requested = (
            found.get(name, {}).get("all", {}) for name in ("allocated_bytes", "reserved_bytes", "requested_bytes")
        )
        now, held = allocated.get("current", 0), reserved.get("current", 0)
        return Reading(
            allocated=now,
            allocated_peak=allocated.get("peak", now),
            reserved=held,
            reserved_peak=reserved.get("peak", held),
            requested=requested.get("current", now),
        )

    def forget_peaks(self) -> None:
        """Peaks begin anew."""
        torch.cuda.reset_peak_memory_stats(self._device)


def counters_of(device: torch.device) -> Counters | None:
    """The counters of a device's allocator; None where it has none."""
    return TorchCounters(device) if device.type == "cuda" else None


def is_read_at(index: int) -> bool:
    """Whether memory is read as this decode step begins: 2, 3, 4, 8, 16, 32, ..."""
    return index > 1 and (index == 3 or index & (index - 1) == 0)


class StageWatch:
    """Sorts readings of one request by stage.

    Args:
        counters: to read.
        forget: whether peaks may be forgotten as a stage begins. Where not, a stage's peak is known only if it is above
            all before.
    """

    def __init__(self, counters: Counters, *, forget: bool = True) -> None:
        self._counters, self._forget = counters, forget
        self._stage = ""
        self._found: dict[str, StageBytes] = {}
        self._steps: list[StepBytes] = []
        self._before = counters.read()
        if forget:
            counters.forget_peaks()

    def enter(self, stage: str, index: int | None) -> None:
        """A stage, or the next step of the same, begins."""
        if stage != self._stage:
            self.change(stage)
        elif index is not None and stage == DECODE and is_read_at(index):
            self._steps.append(StepBytes(index=index, requested_bytes=self._counters.read().requested))

    def change(self, stage: str) -> None:
        """What came before belongs to the stage that was open, what comes now to this one."""
        now = self._counters.read()
        known = self._found.get(self._stage)
        allocated = self._peak(now.allocated_peak, self._before.allocated_peak)
        reserved = self._peak(now.reserved_peak, self._before.reserved_peak)
        self._found[self._stage] = StageBytes(
            stage=self._stage,
            start_bytes=self._before.allocated if known is None else known.start_bytes,
            peak_bytes=allocated if known is None else _higher(known.peak_bytes, allocated),
            end_bytes=now.allocated,
            reserved_bytes=reserved if known is None else _higher(known.reserved_bytes, reserved),
            end_reserved_bytes=now.reserved,
        )
        if self._forget:
            self._counters.forget_peaks()
        self._stage, self._before = stage, now

    def _peak(self, peak: int, before: int) -> int | None:
        return peak if self._forget or peak > before else None

    def end(self) -> RequestMemory:
        """The request is over."""
        self.change("")
        return RequestMemory(stages=[found for found in self._found.values() if found.stage], steps=self._steps)


def _higher(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


class WatchedMarks(Marks):
    """Marks that read the allocator's counters as well; see `Marks`.

    Args:
        device, adjoining, meet: as of `Marks`.
        forget: as of `StageWatch`.
        counters_of: finds the counters of a device.

    Attributes:
        memory: of each request that did not fail, by its number; empty where there are no counters.
    """

    def __init__(
        self,
        device: torch.device | None = None,
        *,
        adjoining: bool = False,
        forget: bool = True,
        counters_of: Callable[[torch.device], Counters | None] = counters_of,
        meet: Callable[[], None] = ALONE.meet,
    ) -> None:
        super().__init__(device, adjoining=adjoining, meet=meet)
        self._forget, self._counters_of = forget, counters_of
        self._watch: StageWatch | None = None
        self.memory: dict[int, RequestMemory] = {}

    def _before_request(self) -> None:
        counters = self._counters_of(self.device)
        self._watch = None if counters is None else StageWatch(counters, forget=self._forget)

    def _before_stage(self, stage: str, index: int | None) -> None:
        if self._watch is not None:
            self._watch.enter(stage, index)

    def _after_stage(self) -> None:
        # Of stages that adjoin, and of steps, the next one's beginning tells as much.
        if self._watch is not None and not self._adjoining and self._open[-1][1] is None:
            self._watch.change(self._open[-2][0] if len(self._open) > 1 else "")

    def _before_end(self) -> None:
        if self._watch is not None:
            self.memory[self.number] = self._watch.end()

    def _after_request(self, *, failed: bool) -> None:
        if failed:
            self.memory.pop(self.number, None)


def last_of_each(memory: Mapping[int, RequestMemory], samples: Mapping[int, int]) -> list[RequestMemory]:
    """Of requests by number the last one of each sample, in the samples' order."""
    last = {samples[number]: found for number, found in sorted(memory.items())}
    return [msgspec.structs.replace(last[sample], sample=sample) for sample in sorted(last)]


def together(memory: Sequence[RequestMemory]) -> RequestMemory | None:
    """The last request, its peaks where they are not known from any that knows them; None of none.

    Where peaks are never forgotten, only the request that first reaches one knows it.
    """
    if not memory:
        return None
    last, every = memory[-1], [stage for request in memory for stage in request.stages]
    stages = []
    for stage in last.stages:
        same = [one for one in every if one.stage == stage.stage]
        peaks = [one.peak_bytes for one in same if one.peak_bytes is not None]
        held = [one.reserved_bytes for one in same if one.reserved_bytes is not None]
        known = {"peak_bytes": max(peaks, default=None), "reserved_bytes": max(held, default=None)}
        stages.append(msgspec.structs.replace(stage, **known))
    return msgspec.structs.replace(last, stages=stages)

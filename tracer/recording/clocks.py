"""Marks at stage boundaries, and the time between them.

On a GPU a mark is an event on the current stream, so that the time between two marks is the device's; on a
CPU it is the host's monotonic clock. Marks never synchronise; reading them does, once, after the request.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Protocol

import torch


class Clock(Protocol):
    """Takes marks, and tells the time between consecutive ones."""

    name: str

    def mark(self) -> None:
        """Take a mark now."""
        ...

    def read(self) -> list[int]:
        """Nanoseconds between consecutive marks since the last `read`, which is then forgotten."""
        ...


class HostClock:
    """The host's monotonic clock."""

    name = "host"

    def __init__(self) -> None:
        self._marks: list[int] = []

    def mark(self) -> None:
        """Take a mark now."""
        self._marks.append(time.perf_counter_ns())

    def read(self) -> list[int]:
        """Nanoseconds between consecutive marks."""
        marks, self._marks = self._marks, []
        return [end - start for start, end in pairwise(marks)]


class CudaEventClock:
    """Events on the current CUDA (or HIP) stream; resolution about half a microsecond."""

    name = "cuda_event"

    def __init__(self, device: torch.device) -> None:
        self._device = device
        # Creating an event costs some microseconds, so they are kept and used again.
        self._pool: list[torch.cuda.Event] = []
        self._taken = 0

    def mark(self) -> None:
        """Record an event behind all work launched so far."""
        if self._taken == len(self._pool):
            self._pool.append(torch.cuda.Event(enable_timing=True))
        self._pool[self._taken].record(torch.cuda.current_stream(self._device))
        self._taken += 1

    def read(self) -> list[int]:
        """Wait for the last event and return the nanoseconds between consecutive ones."""
        events = self._pool[: self._taken]
        self._taken = 0
        if events:
            events[-1].synchronize()
        return [round(start.elapsed_time(end) * 1e6) for start, end in pairwise(events)]


def clock_for(device: torch.device) -> Clock:
    """The clock that tells this device's time."""
    return CudaEventClock(device) if device.type == "cuda" else HostClock()


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that was launched."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)

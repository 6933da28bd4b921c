"""How much memory of a device is allocated over time, by what its allocator reports.

An allocator acts when the host asks, not when the device works: an event belongs to what is open on the host then.
Each event says the total behind it, so that what was there before the recording is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.launches import process_of_thread
from tracer.trace.columns import MISSING

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import MemoryEvents, Trace

# The profiler's number for memory of the host.
HOST = 0
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes over some time: before it, the most inside it and when, and at its end."""

    start_bytes: int
    peak_bytes: int
    end_bytes: int
    peak_ns: int


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """The memory of one device over time, as one process uses it.

    Attributes:
        process: index as `process_of_thread` has it.
        device: its number.
        rows: its events among the trace's, in the order of time.
        time_ns, total_bytes: when each was, and what was allocated behind it.
        before_bytes: what was allocated before the first.
    """

    process: int
    device: int
    rows: I64
    time_ns: I64
    total_bytes: I64
    before_bytes: int

    def level(self, time_ns: int) -> int:
        """What is allocated just before a time."""
        place = int(np.searchsorted(self.time_ns, time_ns, side="left"))
        return int(self.total_bytes[place - 1]) if place else self.before_bytes

    def held(self, start_ns: int, end_ns: int) -> Held:
        """What is allocated in [start, end)."""
        first, last = np.searchsorted(self.time_ns, [start_ns, end_ns], side="left").tolist()
        before = self.level(start_ns)
        inside = self.total_bytes[first:last]
        if not len(inside):
            return Held(before, before, before, start_ns)
        highest = int(np.argmax(inside))
        above = int(inside[highest]) > before
        peak, peak_ns = (int(inside[highest]), int(self.time_ns[first + highest])) if above else (before, start_ns)
        return Held(before, peak, int(inside[-1]), peak_ns)


def device_lines(trace: Trace) -> list[DeviceLine]:
    """The devices whose allocators report their totals; none where memory was not read, or not recorded."""
    memory = trace.memory
    if memory is None:
        return []
    rows = np.flatnonzero(of_device(memory) & (memory.allocated_bytes != MISSING))
    if not len(rows):
        return []
    process = process_of_thread(trace)[memory.thread[rows]]
    keys = list(zip(process.tolist(), memory.kind[rows].tolist(), memory.device[rows].tolist(), strict=True))
    lines = []
    for key in sorted(set(keys)):
        own = rows[np.array([one == key for one in keys], dtype=np.bool_)]
        total = memory.allocated_bytes[own]
        before = max(0, int(total[0] - memory.size_bytes[own[0]]))
        lines.append(DeviceLine(key[0], key[2], own, memory.time_ns[own], total, before))
    return lines


def of_device(memory: MemoryEvents) -> Bools:
    """Which events are of a device's memory, not of the host's."""
    return np.asarray((memory.kind != HOST) & (memory.device >= 0), dtype=np.bool_)


def freed_ns(trace: Trace, memory: MemoryEvents) -> I64:
    """When each allocation was given back; NEVER of those that were not, and of events that are none."""
    found = np.full(len(memory), NEVER, dtype=np.int64)
    whose = (process_of_thread(trace)[memory.thread], memory.kind, memory.device, memory.address)
    order = np.lexsort((np.arange(len(memory)), *whose))
    one, other = order[:-1], order[1:]
    pairs = (memory.size_bytes[one] > 0) & (memory.size_bytes[other] < 0) & (memory.address[one] != MISSING)
    for column in whose:
        pairs &= column[one] == column[other]
    found[one[pairs]] = memory.time_ns[other[pairs]]
    return int64(found)


def unrecorded(memory: MemoryEvents, line: DeviceLine) -> int:
    """How often the total changed by something else than was recorded."""
    return int(np.count_nonzero(np.diff(line.total_bytes) != memory.size_bytes[line.rows[1:]]))

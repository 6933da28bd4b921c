"""Memory of devices by stage, decode step and device, and the largest allocations."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.arrays import ascending, int64
from tracer.charge.launches import process_of_thread
from tracer.charge.layers import host_operators
from tracer.charge.memory import Held, device_lines, freed_ns, unrecorded
from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES
from tracer.document.summary import Allocation, DeviceMemory, Memory, StageMemory
from tracer.measure.open_spans import class_of
from tracer.measure.tokens import steps_of
from tracer.trace.columns import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.arrays import I64
    from tracer.charge.memory import DeviceLine
    from tracer.charge.stages.ranges import StageRanges
    from tracer.document.summary import Stage, Token
    from tracer.measure.runs import Runs
    from tracer.trace.columns import MemoryEvents, Spans, Trace

# Rows of allocations.
MOST = 20


def with_memory(
    stages: Sequence[Stage], tokens: Sequence[Token], trace: Trace, runs: Runs
) -> tuple[list[Stage], list[Token], Memory | None]:
    """Stages and decode steps with their memory, and that of the devices; None where no allocator's total is told."""
    lines = device_lines(trace)
    if not lines or trace.memory is None:
        return list(stages), list(tokens), None
    replace = msgspec.structs.replace
    with_stages = [replace(one, memory=_of(trace, runs.ranges, runs.of(one.stage), lines)) for one in stages]
    steps = zip(tokens, steps_of(runs).tolist(), strict=True)
    with_tokens = [replace(one, memory=_of(trace, runs.ranges, int64([step]), lines)) for one, step in steps]
    devices = [_device(trace, trace.memory, runs.ranges, line) for line in lines]
    return with_stages, with_tokens, Memory(devices=devices, allocations=_largest(trace, trace.memory, runs, lines))


def _of(trace: Trace, ranges: StageRanges, own: I64, lines: list[DeviceLine]) -> StageMemory | msgspec.UnsetType:
    """The memory of some ranges, of the device of which their process held the most; none where it has no line."""
    process = process_of_thread(trace)[ranges.thread[own]]
    found = [(line, _held(line, ranges, own[process == line.process])) for line in lines if line.process in process]
    known = [(line, held) for line, held in found if held is not None]
    if not known:
        return msgspec.UNSET
    line, held = max(known, key=lambda pair: pair[1].peak_bytes)
    return StageMemory(
        start_bytes=held.start_bytes,
        peak_bytes=held.peak_bytes,
        end_bytes=held.end_bytes,
        peak_ns=held.peak_ns,
        device=line.device,
    )


def _held(line: DeviceLine, ranges: StageRanges, own: I64) -> Held | None:
    each = [line.held(int(ranges.start_ns[row]), int(ranges.end_ns[row])) for row in own.tolist()]
    if not each:
        return None
    first, last = each[int(np.argmin(ranges.start_ns[own]))], each[int(np.argmax(ranges.end_ns[own]))]
    highest = max(each, key=lambda held: held.peak_bytes)
    return Held(first.start_bytes, highest.peak_bytes, last.end_bytes, highest.peak_ns)


def _device(trace: Trace, memory: MemoryEvents, ranges: StageRanges, line: DeviceLine) -> DeviceMemory:
    whole = line.held(int(line.time_ns[0]), int(line.time_ns[-1]) + 1)
    at = np.flatnonzero(line.total_bytes == whole.peak_bytes)
    row = int(line.rows[at[0]]) if len(at) else int(line.rows[0])
    place = int(innermost_span(ranges, memory.time_ns[[row]], int64(memory.thread[[row]]))[0]) if len(ranges) else -1
    reserved = memory.reserved_bytes[line.rows]
    processes = [process for process, _ in trace.threads]
    return DeviceMemory(
        process=processes[int(memory.thread[row])],
        device=line.device,
        start_bytes=whole.start_bytes,
        peak_bytes=whole.peak_bytes,
        end_bytes=whole.end_bytes,
        peak_ns=whole.peak_ns,
        peak_stage=ALL_STAGES[ranges.stage[place]] if place >= 0 else "",
        peak_token=int(ranges.index[place]) if place >= 0 and ranges.index[place] >= 0 else None,
        reserved_bytes=int(reserved.max()) if (reserved != MISSING).all() else None,
        events=len(line.rows),
        unrecorded=unrecorded(memory, line),
    )


def _largest(trace: Trace, memory: MemoryEvents, runs: Runs, lines: list[DeviceLine]) -> list[Allocation]:
    """The allocations of the largest sizes, those that were asked for alike in one row."""
    counts: Counter[tuple[int, int, str, str, str]] = Counter()
    at_peak: Counter[tuple[int, int, str, str, str]] = Counter()
    freed = freed_ns(trace, memory)
    for line in lines:
        peak_ns = line.held(int(line.time_ns[0]), int(line.time_ns[-1]) + 1).peak_ns
        rows = line.rows[memory.size_bytes[line.rows] > 0]
        largest = ascending(memory.size_bytes[rows])[-MOST:]
        rows = rows[np.isin(memory.size_bytes[rows], largest)]
        time, thread = memory.time_ns[rows], int64(memory.thread[rows])
        place = innermost_span(runs.ranges, time, thread) if len(runs) else np.full(len(rows), -1)
        operator, module = (
            _names(trace, host_operators(trace), time, thread),
            _names(trace, trace.modules, time, thread),
        )
        size_bytes, until_ns = memory.size_bytes[rows].tolist(), freed[rows].tolist()
        for number, began_ns in enumerate(time.tolist()):
            stage = ALL_STAGES[runs.ranges.stage[place[number]]] if place[number] >= 0 else ""
            key = (size_bytes[number], line.device, stage, operator[number], class_of(module[number]))
            counts[key] += 1
            at_peak[key] += began_ns <= peak_ns < until_ns[number]
    order = sorted(counts, key=lambda key: (-key[0], -counts[key], key))
    return [
        Allocation(
            size_bytes=key[0],
            count=counts[key],
            at_peak=at_peak[key],
            stage=key[2],
            operator=key[3],
            module=key[4],
            device=key[1],
        )
        for key in order[:MOST]
    ]


def _names(trace: Trace, spans: Spans, time_ns: I64, thread: I64) -> list[str]:
    """The innermost span at each time, by name; "" without one."""
    rows = innermost_span(spans, time_ns, thread).tolist()
    name = spans.name
    return [trace.strings[name[row]] if row >= 0 else "" for row in rows]

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from conftest import real_traces
from hypothesis import given
from hypothesis import strategies as st
from support.chrome import OTHER, Event, document, kernel, launch, module, operator, read_bytes, span, write

from reports.document import of_summary
from reports.render.text import render
from tracer.charge.memory import device_lines
from tracer.document.summary import Memory, StageMemory, Summary
from tracer.summarize import summarize, summarize_file
from tracer.trace.columns import Trace, Want

GIB = 1 << 30
WORK = [launch(1, 1, 1), kernel("k", 3, 100, 1)]


def event(at: float, size: int, total: int | None, *, address: int = 1, **more: Any) -> Event:
    """An allocator gives memory, or takes it back where the size is below 0."""
    args = {"Bytes": size, "Device Type": more.pop("kind", 1), "Device Id": more.pop("device", 0), "Addr": address}
    args |= {} if total is None else {"Total Allocated": total, "Total Reserved": total + 10}
    tid, pid = more.pop("tid", 1), more.pop("pid", 100)
    place = {"ph": "i", "cat": "cpu_instant_event", "s": "t", "name": "[memory]", "pid": pid, "tid": tid}
    return {**place, "ts": at, "args": args | more}


def _trace(*events: Event, **metadata: Any) -> Trace:
    want = Want.SUMMARY | Want.CPU_OPS | Want.MODULES | Want.MEMORY
    return read_bytes(document(*events, *WORK, **metadata), want)


def _memory(summary: Summary) -> Memory:
    assert isinstance(summary.memory, Memory)
    return summary.memory


def _stages(summary: Summary) -> dict[str, tuple[int, int, int]]:
    found = {one.stage: one.memory for one in summary.stages if isinstance(one.memory, StageMemory)}
    return {stage: (one.start_bytes, one.peak_bytes, one.end_bytes) for stage, one in found.items()}


def test_before_peak_and_after_of_each_stage_and_step() -> None:
    stages = [span("tracer/prefill", 0, 20), span("tracer/decode#1", 30, 10), span("tracer/decode#2", 40, 10)]
    events = [
        event(5, 50, 150), event(10, -30, 120, address=2), event(25, 100, 220), event(28, -100, 120),
        event(35, 7, 127), event(45, 9, 136), event(46, -9, 127), event(49, 1, 128),
    ]  # fmt: skip
    summary = summarize(_trace(*stages, *events))
    assert _stages(summary) == {"prefill": (100, 150, 120), "decode": (120, 136, 128)}
    steps = [one.memory for one in summary.tokens if isinstance(one.memory, StageMemory)]
    assert [(one.start_bytes, one.peak_bytes, one.end_bytes, one.peak_ns) for one in steps] == [
        (120, 127, 127, 35_000),
        (127, 136, 128, 45_000),
    ]
    (device,) = _memory(summary).devices
    assert (device.start_bytes, device.peak_bytes, device.end_bytes, device.peak_stage) == (100, 220, 128, "")
    assert (device.peak_ns, device.reserved_bytes, device.events, device.unrecorded) == (25_000, 230, 8, 0)


def test_a_stage_that_asked_for_nothing_holds_what_was_there() -> None:
    summary = summarize(_trace(span("tracer/vision", 0, 5), span("tracer/prefill", 5, 9), event(7, 10, 60)))
    assert _stages(summary) == {"vision": (50, 50, 50), "prefill": (50, 60, 60)}


def test_memory_of_the_host_and_totals_that_nobody_tells_are_no_memory_of_a_device() -> None:
    prefill = span("tracer/prefill", 0, 20)
    for one in (event(5, 50, 150, kind=0, device=-1), event(5, 50, None)):
        summary = summarize(_trace(prefill, one))
        assert not isinstance(summary.memory, Memory)
        assert _stages(summary) == {}


def test_of_several_devices_a_stage_has_the_one_that_it_fills_most() -> None:
    summary = summarize(_trace(span("tracer/prefill", 0, 20), event(5, 50, 150), event(6, 5, 900, device=1)))
    assert _stages(summary) == {"prefill": (895, 900, 900)}
    assert [(one.device, one.peak_bytes) for one in _memory(summary).devices] == [(0, 150), (1, 900)]


def test_a_process_has_the_memory_of_its_own_allocator() -> None:
    other = {**span("tracer/decode#1", 0, 20), "pid": 200}
    events = [span("tracer/prefill", 0, 20), event(5, 50, 150), other, event(6, 5, 900, pid=200)]
    assert _stages(summarize(_trace(*events))) == {"prefill": (100, 150, 150), "decode": (895, 900, 900)}


def test_a_total_that_changed_by_something_else_is_counted_and_said() -> None:
    summary = summarize(_trace(span("tracer/prefill", 0, 20), event(5, 50, 150), event(6, 10, 190), event(7, 1, 191)))
    assert _memory(summary).devices[0].unrecorded == 1
    assert "The total changed 1 time by what was not recorded" in render(of_summary(summary), width=300)


def test_the_largest_allocations_with_who_asked_and_whether_the_peak_held_them() -> None:
    events = [
        span("tracer/prefill", 0, 50), module("Linear_0", 4, 10), operator("aten::mm", 5, 5),
        event(6, 500, 600, address=1), event(20, -500, 100, address=1), event(21, 500, 600, address=1),
        event(22, 80, 680, address=2), event(60, 30, 710, address=3, tid=OTHER),
    ]  # fmt: skip
    rows = _memory(summarize(_trace(*events))).allocations
    assert [(one.size_bytes, one.count, one.at_peak, one.stage, one.operator, one.module) for one in rows] == [
        (500, 1, 1, "prefill", "", ""),
        (500, 1, 0, "prefill", "aten::mm", "Linear"),
        (80, 1, 1, "prefill", "", ""),
        (30, 1, 1, "", "", ""),
    ]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-50, 50)), min_size=1, max_size=12), st.integers(0, 40))
def test_what_a_time_holds_is_bounded_by_its_ends_and_by_the_whole(changes: list[tuple[int, int]], cut: int) -> None:
    total, events = 1000, []
    for time, size in sorted(changes, key=lambda change: change[0]):
        total += size
        events.append(event(time, size, total))
    (line,) = device_lines(_trace(*events))
    whole = line.held(0, 41_000)
    first, second = line.held(0, 1000 * cut), line.held(1000 * cut, 41_000)
    assert whole.start_bytes == 1000
    assert whole.end_bytes == total
    assert max(first.peak_bytes, second.peak_bytes) == whole.peak_bytes >= max(whole.start_bytes, whole.end_bytes)
    assert first.end_bytes == second.start_bytes


@pytest.mark.parametrize("indent", [None, 2])
def test_instants_are_read_from_any_layout_and_only_those_of_allocators(indent: int | None) -> None:
    import json

    other = {**event(9, 7, 7), "name": "something else"}
    ending = {**event(9, 7, 7), "ph": "n"}
    damaged = [event(8, 1, 1) | {"ts": "no time"}, {**event(8, 1, 1), "args": {"Bytes": "many"}}]
    events = [event(5, 50, 150), other, ending, *damaged, event(3, -20, 100), *WORK]
    text = json.dumps({"schemaVersion": 1, "traceEvents": events}, indent=indent).encode()
    for data in (text, gzip.compress(text)):
        memory = read_bytes(data, Want.SUMMARY | Want.MEMORY).memory
        assert memory is not None
        assert memory.time_ns.tolist() == [3000, 5000]
        assert memory.size_bytes.tolist() == [-20, 50]
        assert memory.allocated_bytes.tolist() == [100, 150]


def test_a_file_is_read_for_memory_without_being_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "run.json", span("tracer/prefill", 0, 20), event(5, 50, 150), *WORK, profile_memory=1)
    assert _stages(summarize_file(path)) == {"prefill": (100, 150, 150)}


def test_the_report_says_when_the_most_was_allocated() -> None:
    events = [span("tracer/decode#4", 0, 20), event(5, 2 * GIB, 3 * GIB)]
    said = render(of_summary(summarize(_trace(*events))), width=150)
    assert "at most 3.22 GB allocated, in decode step 4 · 1.07 GB before the recording · 3.22 GB reserved" in said


def test_stages_hold_what_torchs_own_counters_said() -> None:
    """By `torch.cuda.memory_allocated` and `max_memory_allocated` beside the recording."""
    path = next(iter(real_traces("memory_stages.json.gz")), None)
    if path is None:
        pytest.skip("no memory_stages.json.gz among TRACER_MORE_TRACES")
    summary = summarize_file(path)
    found = _stages(summary)
    assert found["vision"] == (1_535_760_896, 1_586_485_760, 1_574_136_320)
    assert found["prefill"] == (1_574_136_320, 1_645_931_008, 1_643_543_040)
    step = summary.tokens[0].memory
    assert isinstance(step, StageMemory)
    assert (step.start_bytes, step.peak_bytes, step.end_bytes) == (1_603_435_520, 1_605_886_464, 1_603_536_896)


def test_a_stage_of_a_recording_holds_what_torchs_counters_said_beside_it(data: Path) -> None:
    """In it a quarter of a gibibyte is allocated and cloned, and the first given back."""
    found = _stages(summarize_file(data / "h100_host_layers.json.gz"))
    assert found["vision"] == (100_696_064, 637_566_976, 369_131_520)


def test_without_stages_memory_is_not_said_to_be_outside_them() -> None:
    said = render(of_summary(summarize(_trace(event(5, 50, 150)))), width=150)
    assert "at most 150 B allocated · 100 B before the recording" in said
    assert "no stage" not in said[said.index("memory of the device") :].partition("\n\n")[0]

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from msgspec import UNSET
from support.chrome import OTHER, Event, call, kernel, launch, module, operator, span, trace_of, write
from support.findings import latencies, recorded
from support.strategies import cpu_traces, gpu_traces

from tracer.document.errors import InputError
from tracer.document.summary import HostTime, Summary
from tracer.measure import needs
from tracer.summarize import Choices, summarize, summarize_file
from tracer.trace.columns import NOTHING, Spans, Trace, Want

STEP = [
    span("tracer/decode#1", 0, 100), operator("aten::mm", 10, 30), launch(20, 5, 1),
    call("cudaStreamSynchronize", 60, 9), kernel("k", 30, 2, 1),
]  # fmt: skip


def _host(summary: Summary, stage: str = "decode") -> HostTime:
    found = next(one for one in summary.stages if one.stage == stage).host
    assert isinstance(found, HostTime)
    return found


def test_the_layers_of_a_stage_and_of_a_step() -> None:
    summary = summarize(trace_of(*STEP))
    expected = HostTime(launch_ns=5000, copy_ns=0, sync_ns=9000, dispatch_ns=25_000, python_ns=61_000)
    assert _host(summary) == summary.tokens[0].host == expected


@given(gpu_traces())
def test_known_layers_add_up_to_the_time_of_the_ranges(trace: Trace) -> None:
    for stage in summarize(trace).stages:
        if len(trace.calls):
            assert isinstance(stage.host, HostTime)
            assert stage.host.total_ns == stage.cpu_ns
        else:
            assert stage.host is UNSET


@given(cpu_traces())
def test_operators_that_are_the_work_itself_are_no_layer_of_asking_for_it(trace: Trace) -> None:
    assert all(stage.host is UNSET for stage in summarize(trace).stages)


def test_without_operators_of_the_thread_nobody_says_what_is_python() -> None:
    events = [one for one in STEP if one["cat"] != "cpu_op"] + [operator("aten::mm", 10, 30, tid=OTHER)]
    host = _host(summarize(trace_of(*events)))
    assert (host.dispatch_ns, host.python_ns, host.untold_ns) == (None, None, 86_000)
    assert host.total_ns == 100_000


def test_where_operators_were_not_read_nothing_is_said() -> None:
    trace = trace_of(*STEP)
    unread = replace(trace, had=Want.SUMMARY, cpu_ops=Spans.none())
    assert all(stage.host is UNSET for stage in summarize(unread).stages)
    assert _host(summarize(replace(unread, operators=trace.cpu_ops))) == _host(summarize(trace))


def test_the_profilers_share_is_said_where_it_was_measured() -> None:
    metadata = recorded(clean=[latencies(step_us=40)] * 3, profiled=[latencies(step_us=100)])
    assert _host(summarize(trace_of(*STEP, tracer=metadata))).slowed == pytest.approx(2.5)
    assert _host(summarize(trace_of(*STEP))).slowed is None


def test_a_small_file_is_read_for_its_operators_and_a_large_one_where_the_device_waits(tmp_path: Path) -> None:
    path = write(tmp_path / "run.json", *STEP)
    assert _host(summarize_file(path)).dispatch_ns == 25_000
    busy = trace_of(*STEP, kernel("long", 32, 50, 1))
    waiting = trace_of(*STEP, kernel("late", 95, 1, 1))
    for trace, events, want in (
        (busy, needs.ALWAYS_EVENTS, Want.CPU_OPS | Want.MEMORY),
        (busy, needs.ALWAYS_EVENTS + 1, NOTHING),
        (waiting, needs.ALWAYS_EVENTS + 1, Want.CPU_OPS),
        (waiting, needs.WAITING_EVENTS + 1, NOTHING),
    ):
        assert needs.beside(replace(trace, events=events, had=Want.SUMMARY), Choices()) == want


def test_operators_are_not_read_where_no_stage_asks_for_them() -> None:
    trace = replace(trace_of(span("forward", 0, 9), *STEP[1:]), had=Want.SUMMARY)
    assert needs.beside(trace, Choices()) == Want.MEMORY
    assert needs.beside(replace(trace, events=needs.ALWAYS_EVENTS + 1), Choices()) == NOTHING
    recorded_memory = replace(trace, events=needs.WAITING_EVENTS + 1, memory_recorded=True)
    assert needs.beside(recorded_memory, Choices()) == Want.MEMORY | Want.CPU_OPS


def test_by_host_names_what_is_in_each_layer() -> None:
    events: list[Event] = [*STEP, module("Linear_0", 5, 40), module("Linear_1", 50, 5)]
    found = summarize(trace_of(*events), Choices(by="host")).breakdown
    assert found is not None
    assert [(row.layer, row.name, row.count, row.time_ns) for row in found.host] == [
        ("Python", "", 0, 46_000),
        ("operators", "aten::mm", 1, 25_000),
        ("Python", "Linear", 2, 15_000),
        ("waiting", "cudaStreamSynchronize", 1, 9_000),
        ("launching", "cudaLaunchKernel", 1, 5_000),
    ]


@given(gpu_traces())
def test_rows_by_host_add_up_to_the_stages(trace: Trace) -> None:
    try:
        summary = summarize(trace, Choices(by="host"))
    except InputError:
        assert not len(trace.calls) or not summarize(trace).stages
        return
    assert summary.breakdown is not None
    for stage in summary.stages:
        assert sum(row.time_ns for row in summary.breakdown.host if row.stage == stage.stage) == stage.cpu_ns


def test_what_by_host_cannot_divide_is_said() -> None:
    with pytest.raises(InputError, match="no stages in it for --by host"):
        summarize(trace_of(launch(0, 1, 1), kernel("k", 2, 1, 1)), Choices(by="host"))
    with pytest.raises(InputError, match="no device work in it; .* --by op"):
        summarize(trace_of(span("tracer/vision", 0, 5), operator("aten::mm", 0, 1)), Choices(by="host"))
    with pytest.raises(InputError, match="no calls of the host in it for --by host"):
        summarize(trace_of(span("tracer/vision", 0, 5), kernel("k", 2, 1)), Choices(by="host"))


# What the script of this recording measured by the host's clock while it ran.
SLEPT_NS, DISPATCHED_NS, LAUNCHED_NS, WAITED_NS = 50_131_011, 21_853_272, 77_794_285, 52_264_801


def test_a_sleep_operators_launches_and_a_wait_are_each_found_and_sized(data: Path) -> None:
    """5,000 views, which launch nothing, 5,000 launches, a sleep, and a wait for twenty large products."""
    summary = summarize_file(data / "h100_host_layers.json.gz", Choices(by="host"))
    vision, prefill, (burst, wait) = _host(summary, "vision"), _host(summary, "prefill"), summary.tokens
    assert vision.python_ns == pytest.approx(SLEPT_NS, rel=0.05)
    assert (prefill.dispatch_ns or 0) + (prefill.python_ns or 0) == pytest.approx(DISPATCHED_NS, rel=0.05)
    assert burst.cpu_ns == pytest.approx(LAUNCHED_NS, rel=0.05)
    assert isinstance(wait.host, HostTime)
    assert wait.host.sync_ns == pytest.approx(WAITED_NS, rel=0.05)
    assert summary.breakdown is not None
    rows = {(row.stage, row.layer, row.name): row.count for row in summary.breakdown.host}
    assert rows["prefill", "operators", "aten::view"] == rows["decode", "launching", "cudaLaunchKernel"] == 5000

from __future__ import annotations

import pytest
from hypothesis import given
from support import reference
from support.chrome import MAIN, OTHER, call, capture, kernel, launch, operator, span, trace_of
from support.strategies import cpu_traces, gpu_traces

from tracer.charge.stages.find import find_stages
from tracer.charge.work import Work, work_of_operators, work_of_ops
from tracer.document.errors import InputError
from tracer.summarize import Choices, summarize
from tracer.trace.columns import Trace


def _charges(trace: Trace) -> Work:
    return work_of_ops(trace, find_stages(trace))


def _opened(trace: Trace) -> list[tuple[int, int]]:
    """What our own ranges open; nothing where none of them is a stage."""
    ranges = trace.ranges
    named = [trace.strings[name] for name in ranges.name.tolist()]
    if not any(name.startswith("tracer/") and name != "tracer/request#0" for name in named):
        return []
    bounds = zip(named, ranges.start_ns.tolist(), ranges.end_ns.tolist(), strict=True)
    return [(start, end) for name, start, end in bounds if name.startswith("tracer/")]


def test_an_instant_goes_to_the_op_that_started_first() -> None:
    trace = trace_of(kernel("a", 0, 10, stream=2), kernel("b", 5, 10, stream=1), kernel("c", 7, 2, stream=3))
    assert _charges(trace).busy_ns.tolist() == [10_000, 5_000, 0]


def test_equal_starts_go_to_the_lower_stream_then_the_lower_correlation() -> None:
    trace = trace_of(kernel("a", 0, 4, 9, stream=2), kernel("b", 0, 4, 8, stream=1), kernel("c", 0, 6, 7, stream=1))
    assert _charges(trace).busy_ns.tolist() == [0, 0, 6_000]


def test_a_gap_is_host_time_then_waiting_then_launch_latency() -> None:
    trace = trace_of(
        kernel("first", 0, 10, 1),
        launch(0, 1, 1),
        call("cudaStreamSynchronize", 2, 12),  # waits for `first`, and 4 us into the gap
        launch(17, 2, 2),
        kernel("second", 20, 5, 2),
    )
    charges = _charges(trace)
    assert charges.sync_ns.tolist() == [0, 4_000]
    assert charges.host_ns.tolist() == [0, 3_000]
    assert charges.launch_ns.tolist() == [0, 3_000]
    assert charges.unknown_ns.tolist() == [0, 0]


def test_a_gap_ended_by_an_op_without_launch_record_is_unknown() -> None:
    trace = trace_of(kernel("first", 0, 10), kernel("second", 20, 5))
    assert _charges(trace).unknown_ns.tolist() == [0, 10_000]


def test_a_call_that_began_after_the_op_says_nothing_of_why_the_device_waited() -> None:
    trace = trace_of(kernel("first", 0, 10), launch(42, 1, 2), kernel("second", 20, 5, 2))
    charges = _charges(trace)
    assert (charges.unknown_ns[1], charges.host_ns[1], charges.launch_ns[1]) == (10_000, 0, 0)


def test_waiting_on_another_thread_is_not_this_ones() -> None:
    trace = trace_of(
        kernel("first", 0, 10),
        call("cudaDeviceSynchronize", 10, 5, tid=2),
        launch(17, 1, 2),
        kernel("second", 20, 5, 2),
    )
    assert _charges(trace).sync_ns.tolist() == [0, 0]


def test_devices_have_windows_of_their_own() -> None:
    trace = trace_of(kernel("a", 0, 1, device=0), kernel("b", 50, 1, device=1), kernel("c", 53, 1, device=1))
    charges = _charges(trace)
    assert charges.idle_ns.tolist() == [0, 0, 2_000]


def test_time_between_captures_belongs_to_nobody() -> None:
    trace = trace_of(capture(0, 10), capture(100, 10), kernel("a", 1, 1), kernel("b", 4, 1), kernel("c", 101, 1))
    assert _charges(trace).idle_ns.tolist() == [0, 2_000, 0]


@given(gpu_traces())
def test_every_nanosecond_is_charged_as_the_reference_charges_it(trace: Trace) -> None:
    charges = _charges(trace)
    expected = reference.ledger(trace, _opened(trace))
    for column in ("busy", "host", "sync", "launch", "unknown", "between"):
        assert getattr(charges, f"{column}_ns").tolist() == [row[column] for row in expected], column


@given(gpu_traces(whole=True))
def test_stages_and_the_unattributed_row_add_up_to_the_trace(trace: Trace) -> None:
    summary = summarize(trace, Choices(all_ranges=True))
    device, rest, stages = summary.device, summary.device.unattributed, summary.stages
    assert sum(stage.ops for stage in stages) + rest.ops == device.ops == len(trace.ops)
    assert sum(stage.device_time_ns for stage in stages) + rest.time_ns == device.time_ns
    assert sum(stage.busy_ns for stage in stages) + rest.busy_ns == device.busy_ns
    assert sum(stage.idle_ns for stage in stages) + rest.idle_ns + device.between.idle_ns == device.idle_ns
    assert device.time_ns == int((trace.ops.end_ns - trace.ops.start_ns).sum())
    assert sum(reason.time_ns for reason in rest.reasons.values()) == rest.time_ns
    assert sum(reason.ops for reason in rest.reasons.values()) == rest.ops
    windows = {
        device: (trace.ops.start_ns[rows].min(), trace.ops.end_ns[rows].max())
        for device in trace.ops.device.tolist()
        for rows in [trace.ops.device == device]
    }
    assert device.busy_ns + device.idle_ns == sum(end - start for start, end in windows.values())
    decode = [stage for stage in stages if stage.stage == "decode"]
    for name in ("ops", "device_time_ns", "busy_ns", "idle_ns"):
        assert sum(getattr(token, name) for token in summary.tokens) == sum(getattr(s, name) for s in decode)


@given(cpu_traces())
def test_operators_are_charged_with_the_time_they_are_innermost(trace: Trace) -> None:
    charges = work_of_operators(trace, find_stages(trace))
    assert charges.time_ns.tolist() == reference.self_times(trace)


@given(cpu_traces())
def test_cpu_stages_add_up_too(trace: Trace) -> None:
    summary = summarize(trace)
    rest = summary.device.unattributed
    assert summary.device.kind == "cpu"
    assert sum(s.device_time_ns for s in summary.stages) + rest.time_ns == summary.device.time_ns
    between_ns = summary.device.between.idle_ns
    assert sum(s.idle_ns for s in summary.stages) + rest.idle_ns + between_ns == summary.device.idle_ns


def test_nested_operators_share_their_time() -> None:
    trace = trace_of(
        span("tracer/vision", 0, 20),
        operator("aten::linear", 0, 10),
        operator("aten::mm", 2, 6),
        operator("aten::add", 12, 1),
    )
    (stage,) = summarize(trace).stages
    assert [(k.name, k.time_ns) for k in stage.kernels] == [
        ("aten::mm", 6_000),
        ("aten::linear", 4_000),
        ("aten::add", 1_000),
    ]
    assert stage.idle.host_ns == 2_000


def test_durations_beyond_a_century_are_refused() -> None:
    trace = trace_of(*[kernel("k", 0, 9e12) for _ in range(400)])
    with pytest.raises(InputError, match="century"):
        _charges(trace)


def test_a_gap_in_which_no_request_is_open_is_nobodys() -> None:
    trace = trace_of(
        span("tracer/prefill", 0, 30),
        launch(0, 1, 1),
        kernel("first", 0, 10, 1),
        span("tracer/prefill", 100, 30),
        launch(105, 1, 2),
        kernel("second", 110, 10, 2),
    )
    work = _charges(trace)
    assert (work.host_ns.tolist(), work.launch_ns.tolist()) == ([0, 20_000 + 5_000], [0, 5_000])
    assert (work.between_ns.tolist(), work.gap_ns.tolist()) == ([0, 70_000], [0, 100_000])
    device = summarize(trace).device
    assert (device.idle_ns, device.between.idle_ns, device.unattributed.idle_ns) == (100_000, 70_000, 0)


def test_waiting_between_requests_is_nobodys_either() -> None:
    trace = trace_of(
        span("tracer/prefill", 0, 30),
        kernel("first", 0, 10),
        call("cudaDeviceSynchronize", 20, 60),
        span("tracer/prefill", 100, 30),
        launch(105, 1, 2),
        kernel("second", 110, 10, 2),
    )
    work = _charges(trace)
    assert (work.sync_ns[1], work.host_ns[1], work.between_ns[1]) == (10_000, 10_000 + 5_000, 70_000)


@pytest.mark.parametrize("tid", [MAIN, OTHER])
def test_a_gap_within_a_request_or_while_another_thread_has_a_stage_open_is_charged(tid: int) -> None:
    name = "tracer/request#0" if tid == MAIN else "tracer/vision"
    trace = trace_of(
        span(name, 0, 130, tid=tid),
        span("tracer/prefill", 0, 30),
        kernel("first", 0, 10),
        span("tracer/decode#1", 100, 30),
        launch(105, 1, 2),
        kernel("second", 110, 10, 2),
    )
    assert (_charges(trace).host_ns[1], _charges(trace).between_ns[1]) == (95_000, 0)


def test_without_stages_no_gap_lies_between() -> None:
    trace = trace_of(span("mine", 0, 30), kernel("first", 0, 10), launch(105, 1, 2), kernel("second", 110, 10, 2))
    assert summarize(trace).device.between.idle_ns == 0


def test_operators_have_time_between_requests_too() -> None:
    trace = trace_of(
        span("tracer/vision", 0, 20),
        operator("aten::mm", 5, 5),
        span("tracer/vision", 50, 20),
        operator("aten::mm", 55, 5),
    )
    summary = summarize(trace)
    assert (summary.stages[0].idle_ns, summary.device.between.idle_ns) == (15_000, 30_000)

"""Launches whose work was not recorded, and what looks like them."""

from __future__ import annotations

import pytest
from hypothesis import given
from support.chrome import OTHER, Event, call, kernel, launch, span, trace_of
from support.strategies import cpu_traces, gpu_traces

from tracer.charge.lost import FEW_LAUNCHES, LostWork, find_lost
from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of
from tracer.trace.columns import Trace


def _lost(trace: Trace) -> LostWork:
    ranges = find_stages(trace)
    return find_lost(trace, ranges, work_of(trace, ranges))


def _calls(*events: Event) -> list[str]:
    """What was called in vain, by the number of its event."""
    trace = trace_of(*events)
    return [f"{trace.strings[trace.calls.name[row]]}#{trace.calls.correlation[row]}" for row in _lost(trace).calls]


RECORDED = (launch(0, 5, 1), kernel("k", 10, 5, 1))


@pytest.mark.parametrize(
    "name",
    ["cudaLaunchKernel", "cuLaunchKernelEx", "hipExtModuleLaunchKernel", "cudaGraphLaunch", "hipGraphLaunch",
     "cudaMemcpyAsync", "hipMemcpyWithStream", "cudaMemsetAsync", "cuMemsetD32Async", "cnInvokeKernel"],
)  # fmt: skip
def test_a_launch_without_an_op_is_lost_and_one_with_an_op_is_not(name: str) -> None:
    assert _calls(*RECORDED, call(name, 20, 5, 2)) == [f"{name}#2"]
    assert _calls(*RECORDED, call(name, 20, 5, 2), kernel("k", 30, 5, 2)) == []


@pytest.mark.parametrize("name", ["cudaStreamSynchronize", "cudaLaunchHostFunc", "cudaMalloc", "cudaEventRecord"])
def test_a_call_that_starts_no_work_loses_none(name: str) -> None:
    assert _calls(*RECORDED, call(name, 20, 5, 2)) == []


@pytest.mark.parametrize("api", ["cuda", "cu", "hip", "musa"])
def test_what_is_launched_into_a_capture_runs_nothing(api: str) -> None:
    begin, end = call(f"{api}StreamBeginCapture", 20, 1, 0), call(f"{api}StreamEndCapture", 40, 1, 0)
    assert _calls(*RECORDED, begin, launch(30, 2, 2), end) == []
    assert _calls(*RECORDED, begin, launch(30, 2, 2), end, launch(50, 2, 3)) == ["cudaLaunchKernel#3"]


def test_a_thread_that_joins_anothers_capture_runs_nothing_unless_it_lacks_ops_outside_it_too() -> None:
    begin, end = call("cudaStreamBeginCapture", 20, 1, 0), call("cudaStreamEndCapture", 40, 1, 0)
    joins, outside = launch(30, 2, 2, tid=OTHER), launch(50, 2, 3, tid=OTHER)
    assert _calls(*RECORDED, begin, joins, end) == []
    assert _calls(*RECORDED, begin, joins, end, outside, kernel("k", 60, 5, 3)) == []
    assert _calls(*RECORDED, begin, joins, end, outside) == ["cudaLaunchKernel#2", "cudaLaunchKernel#3"]
    assert _calls(*RECORDED, joins) == ["cudaLaunchKernel#2"]
    # A capture that nobody saw end, or that of another process, is none of its.
    assert _calls(*RECORDED, begin, joins) == ["cudaLaunchKernel#2"]
    assert _calls(*RECORDED, begin, {**joins, "pid": 200}, end) == ["cudaLaunchKernel#2"]


def test_a_capture_whose_begin_or_end_is_missing_reaches_to_that_end_of_the_trace() -> None:
    assert _calls(launch(20, 2, 2), call("cudaStreamEndCapture", 40, 1, 0), launch(50, 2, 3)) == ["cudaLaunchKernel#3"]
    assert _calls(launch(20, 2, 2), call("cudaStreamBeginCapture", 40, 1, 0), launch(50, 2, 3)) == [
        "cudaLaunchKernel#2"
    ]


def test_such_a_capture_reaches_no_further_than_to_what_none_allows() -> None:
    begin, end = call("cudaStreamBeginCapture", 30, 1, 0), call("cudaStreamEndCapture", 30, 1, 0)
    for name in ("cudaGraphLaunch", "hipStreamSynchronize", "cudaDeviceSynchronize"):
        between = [call(name, 25, 1, 9), kernel("k", 27, 1, 9)]
        assert _calls(launch(10, 2, 2), *between, launch(28, 1, 3), end) == ["cudaLaunchKernel#2"]
        behind = [call(name, 45, 1, 9), kernel("k", 47, 1, 9)]
        assert _calls(begin, launch(40, 2, 2), *behind, launch(50, 1, 3)) == ["cudaLaunchKernel#3"]
        # Of a whole one they may be of another stream.
        assert _calls(begin, launch(40, 2, 2), *behind, launch(50, 1, 3), {**end, "ts": 60}) == []
    # A wait for an event is for what was asked for before.
    waits = call("cudaEventSynchronize", 45, 1, 0)
    assert _calls(begin, launch(40, 2, 2), waits, launch(50, 1, 3)) == []


def test_a_launch_inside_a_launch_is_one_with_it() -> None:
    inner = call("cuLaunchKernel", 21, 2, 3)
    assert _calls(*RECORDED, launch(20, 5, 2), inner) == ["cudaLaunchKernel#2"]
    assert _calls(*RECORDED, launch(20, 5, 2), inner, kernel("k", 30, 5, 3)) == []
    assert _calls(*RECORDED, launch(20, 5, 2), inner, kernel("k", 30, 5, 2)) == []


def test_a_fill_of_no_bytes_returns_at_once_and_loses_nothing() -> None:
    assert _calls(*RECORDED, call("cudaMemsetAsync", 20, 0.3, 2)) == []
    assert _calls(*RECORDED, call("cudaMemsetAsync", 20, 4, 2)) == ["cudaMemsetAsync#2"]
    assert _calls(*RECORDED, call("cudaLaunchKernel", 20, 0.3, 2)) == ["cudaLaunchKernel#2"]


def test_at_once_is_sooner_than_any_fill_that_had_an_op_on_a_slow_machine() -> None:
    slow = (call("cudaMemsetAsync", 30, 9, 3), kernel("Memset", 45, 1, 3, cat="gpu_memset"))
    assert _calls(*RECORDED, *slow, call("cudaMemsetAsync", 20, 4, 2)) == []
    assert _calls(*RECORDED, *slow, call("cudaMemsetAsync", 20, 9, 2)) == ["cudaMemsetAsync#2"]


def test_a_launch_without_a_number_cannot_be_told_from_one_with_an_op() -> None:
    assert _calls(*RECORDED, call("cudaLaunchKernel", 20, 5, 0)) == []


def test_an_op_that_was_refused_its_launch_is_there() -> None:
    early = [kernel("k", 100 * i - 50, 5, i) for i in range(1, 4)]
    late = [launch(100 * i, 5, i) for i in range(1, 4)]
    assert _calls(*early, *late) == []


def test_calls_of_joined_processes_with_one_number_have_an_op_each() -> None:
    other = {**launch(1, 5, 1), "pid": 200}
    ops = (kernel("k", 10, 5, 1), kernel("k", 20, 5, 1))
    assert _calls(launch(0, 5, 1), other, *ops) == []
    assert len(_calls(launch(0, 5, 1), other, ops[0])) == 1


def _many(count: int, *missing: int, name: str = "cudaLaunchKernel") -> list[Event]:
    calls = [call(name, 10 * i, 4, i) for i in range(1, count + 1)]
    return [*calls, *[kernel("k", 10 * i + 5, 2, i) for i in range(1, count + 1) if i not in missing]]


def test_a_single_fill_among_many_launches_is_a_stray_but_not_among_few_and_never_a_kernel_or_graph() -> None:
    assert _calls(*_many(FEW_LAUNCHES, 50, name="cudaMemsetAsync")) == []
    assert _calls(*_many(FEW_LAUNCHES, 50, 51, name="cudaMemsetAsync")) == ["cudaMemsetAsync#50", "cudaMemsetAsync#51"]
    assert _calls(*_many(FEW_LAUNCHES - 1, 50, name="cudaMemsetAsync")) == ["cudaMemsetAsync#50"]
    for name in ("cudaLaunchKernel", "hipGraphLaunch", "cudaGraphLaunch_v10000"):
        assert _calls(*_many(FEW_LAUNCHES, 50, name=name)) == [f"{name}#50"]


def test_of_a_kind_of_which_no_call_has_an_op_none_is_a_stray() -> None:
    kernels = _many(20 * FEW_LAUNCHES)
    fills = [call("cudaMemsetAsync", 5 + 10 * n, 3, 10_000 + n) for n in range(4)]
    assert len(_calls(*kernels, *fills)) == 4
    # Of three there may be none; and where one has its op the other is a stray, as are those of no bytes.
    assert _calls(*kernels, *fills[:2]) == []
    assert _calls(*kernels, *fills[:2], kernel("Memset", 20, 1, 10_001, cat="gpu_memset")) == []
    assert _calls(*kernels, *[{**fill, "dur": 1} for fill in fills]) == []


def test_a_quick_fill_among_lost_kernels_was_lost_with_them() -> None:
    slow = (call("cudaMemsetAsync", 30, 9, 3), kernel("Memset", 45, 1, 3, cat="gpu_memset"))
    quick = call("cudaMemsetAsync", 20, 4, 2)
    assert _calls(*RECORDED, *slow, quick, launch(50, 5, 4)) == ["cudaMemsetAsync#2", "cudaLaunchKernel#4"]
    assert _calls(*RECORDED, *slow, quick) == []
    recorded = [event for n in (5, 6) for event in (launch(45 + n, 5, n), kernel("k", 60 + n, 1, n))]
    assert _calls(*RECORDED, *slow, quick, *recorded, launch(80, 5, 4)) == ["cudaLaunchKernel#4"]
    assert _calls(*RECORDED, *slow, call("cudaMemsetAsync", 20, 0.3, 2), launch(50, 5, 4)) == ["cudaLaunchKernel#4"]


def test_each_is_of_the_stage_around_it_on_its_thread() -> None:
    ranges = (span("tracer/prefill", 0, 50), span("tracer/decode#1", 50, 50))
    lost = _lost(trace_of(*ranges, *RECORDED, launch(60, 5, 2), launch(70, 5, 3), launch(80, 5, 4, tid=OTHER)))
    assert (lost.stage.tolist(), lost.of_ranges(2).tolist()) == ([1, 1, -1], [0, 2])


def _gaps(*events: Event) -> list[str]:
    """The ops in whose gap lost work may have run."""
    trace = trace_of(*events)
    return [trace.strings[trace.ops.name[row]] for row in _lost(trace).in_gap.nonzero()[0]]


def test_lost_work_may_have_run_in_the_gap_of_the_next_op_launched_after_it_alone() -> None:
    events = [
        launch(0, 2, 1), kernel("before", 5, 5, 1), launch(20, 2, 2), launch(30, 2, 3), kernel("next", 40, 5, 3),
        launch(50, 2, 4), kernel("later", 60, 5, 4),
    ]  # fmt: skip
    assert _gaps(*events) == ["next"]
    assert _gaps(*events, kernel("it", 25, 5, 2)) == []


def test_each_stream_waits_for_it_by_itself_and_other_devices_never() -> None:
    events = [
        launch(0, 2, 1), kernel("a", 5, 5, 1), launch(20, 2, 2), launch(30, 2, 3), launch(32, 2, 4),
        kernel("main", 40, 5, 3), kernel("side", 50, 5, 4, stream=9),
    ]  # fmt: skip
    assert _gaps(*events) == ["main", "side"]
    elsewhere = [launch(0, 2, 8, tid=OTHER), kernel("x", 5, 1, 8, device=1)]
    elsewhere += [launch(60, 2, 9, tid=OTHER), kernel("other device", 80, 1, 9, device=1)]
    assert _gaps(*events, *elsewhere) == ["main", "side"]


def test_a_gap_of_no_length_hides_nothing() -> None:
    assert _gaps(launch(0, 2, 1), launch(10, 2, 2), kernel("first", 20, 5, 2)) == []


@given(gpu_traces())
def test_a_launch_is_lost_or_has_an_op_and_lost_ones_were_made(trace: Trace) -> None:
    lost, work = _lost(trace), work_of(trace, find_stages(trace))
    assert set(lost.calls.tolist()) <= set(lost.made.tolist())
    assert not set(lost.calls[~lost.in_part].tolist()) & set(work.call.tolist())
    assert set(lost.calls[lost.in_part].tolist()) <= set(work.call.tolist())
    assert (len(lost.in_gap), bool(lost.in_gap.any() and not len(lost))) == (len(work), False)


@given(cpu_traces())
def test_a_trace_without_launches_loses_nothing(trace: Trace) -> None:
    assert len(_lost(trace)) == 0

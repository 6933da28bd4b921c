from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import reference
from support.chrome import Event, call, kernel, launch, span, trace_of
from support.strategies import gpu_traces

from tracer.charge import launches
from tracer.charge.clocks import clocks_of, doubtful_launches
from tracer.charge.launches import find_launches
from tracer.summarize import summarize
from tracer.trace.columns import JITTER_NS, Trace


def _said(trace: Trace) -> list[str]:
    call = find_launches(trace)
    return doubtful_launches(trace, call, clocks_of(trace, call))


def _of_process(process: int, event: Event) -> Event:
    return event | {"pid": process}


def _earlier(trace: Trace, by_ns: int) -> Trace:
    """The same trace, on a clock that is behind by so much."""
    return replace(
        trace,
        ops=replace(trace.ops, start_ns=trace.ops.start_ns - by_ns, end_ns=trace.ops.end_ns - by_ns),
        calls=replace(trace.calls, start_ns=trace.calls.start_ns - by_ns, end_ns=trace.calls.end_ns - by_ns),
    )


def _process_of_launch(trace: Trace) -> list[str]:
    return [trace.threads[trace.calls.thread[call]][0] for call in find_launches(trace).tolist()]


def test_of_a_runtime_call_and_the_driver_call_below_it_the_outer_counts() -> None:
    trace = trace_of(call("cuLaunchKernel", 2, 1, 5), call("cudaLaunchKernel", 1, 3, 5), kernel("k", 9, 1, 5))
    assert trace.strings[trace.calls.name[find_launches(trace)[0]]] == "cudaLaunchKernel"


def test_of_a_repeated_correlation_the_last_launch_before_the_op_counts() -> None:
    trace = trace_of(launch(0, 1, 5), launch(20, 1, 5), kernel("a", 10, 1, 5), kernel("b", 30, 1, 5))
    assert find_launches(trace).tolist() == [0, 1]


def test_the_process_whose_launches_always_come_first_owns_the_device() -> None:
    events = []
    for number in range(1, 8):
        events += [
            _of_process(100, launch(100 * number, 1, number)),
            kernel("zero", 100 * number + 10, 5, number, device=0),
            # Late by half a step: only the first process can have launched what runs on device 0.
            _of_process(200, launch(100 * number + 50, 1, number)),
            kernel("one", 100 * number + 60, 5, number, device=1),
        ]
    trace = trace_of(*events)
    found = list(zip(trace.ops.device.tolist(), _process_of_launch(trace), strict=True))
    assert set(found) == {(0, "100"), (1, "200")}


def test_of_very_many_processes_an_op_has_the_launch_that_one_alone_has_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launches, "FEW_PROCESSES", 1)
    monkeypatch.setattr(launches, "MOST_PAIRS", 1)
    calls = [_of_process(ts, launch(ts, 1, number)) for number, ts in ((1, 10), (2, 20), (3, 30), (3, 40))]
    ops = [kernel("k", 50 + 5 * number, 5, number) for number in (1, 2, 3)]
    trace = trace_of(*calls, *ops)
    found = find_launches(trace).tolist()
    assert [trace.threads[trace.calls.thread[call]][0] if call >= 0 else None for call in found] == [
        "10",
        "20",
        None,
    ]


def test_an_op_whose_devices_process_has_no_such_call_takes_the_latest_of_any() -> None:
    events = [_of_process(100, launch(10 * n, 1, n)) for n in range(1, 5)]
    events += [kernel("k", 10 * n + 5, 1, n) for n in range(1, 5)]
    events += [_of_process(200, launch(3, 1, 1)), _of_process(200, launch(70, 1, 9)), kernel("odd", 80, 1, 9)]
    events += [_of_process(300, launch(75, 1, 9))]
    trace = trace_of(*events)
    assert _process_of_launch(trace) == ["100"] * 4 + ["300"]


@given(gpu_traces())
def test_launches_agree_with_the_reference(trace: Trace) -> None:
    found = find_launches(trace).tolist()
    calls = trace.calls
    for mine, theirs in zip(found, reference.launches(trace), strict=True):
        # Of calls with equal times and correlation any will do.
        assert (mine >= 0) == (theirs >= 0)
        if mine >= 0:
            assert (calls.start_ns[mine], calls.correlation[mine]) == (
                calls.start_ns[theirs],
                calls.correlation[theirs],
            )


def test_an_op_is_never_given_a_launch_that_launched_something_else() -> None:
    trace = trace_of(kernel("k0", 0, 5, 5), launch(10, 2, 5), kernel("k1", 20, 5, 5), kernel("k2", 30, 5, 6))
    assert find_launches(trace).tolist() == [-1, 0, -1]
    (said,) = _said(trace)
    assert said.startswith("1 device op has the number of a call that launched something else")


def test_where_every_op_has_its_launch_nothing_is_said() -> None:
    trace = trace_of(launch(10, 2, 5), kernel("k1", 10, 5, 5), kernel("unknown", 30, 5, 6))
    assert find_launches(trace).tolist() == [0, -1]
    assert _said(trace) == []


def test_the_first_kernels_of_a_graph_may_begin_before_its_launch_by_as_much_as_clocks_differ() -> None:
    graph = call("cudaGraphLaunch", 100, 5, 5)
    trace = trace_of(graph, kernel("a", 98.5, 1, 5), kernel("b", 110, 1, 5), kernel("of an id before", 20, 1, 5))
    assert find_launches(trace).tolist() == [0, 0, -1]
    assert not clocks_of(trace, find_launches(trace)).early.any()


@given(gpu_traces())
def test_a_launch_that_begins_after_its_op_is_the_only_one_of_its_number_and_launched_nothing_else(
    trace: Trace,
) -> None:
    launched = find_launches(trace).tolist()
    for op, found in enumerate(launched):
        if found < 0 or trace.calls.start_ns[found] <= trace.ops.start_ns[op]:
            continue
        others = [one for one, other in enumerate(launched) if other == found and one != op]
        punctual = [one for one in others if trace.ops.start_ns[one] >= trace.calls.start_ns[found]]
        assert not punctual or trace.strings[trace.calls.name[found]] == "cudaGraphLaunch"
        same = trace.calls.correlation == trace.ops.correlation[op]
        assert (trace.calls.start_ns[same] > trace.ops.start_ns[op]).all()


def test_of_a_runtime_call_and_two_driver_calls_below_it_the_outer_counts() -> None:
    inner = [call("cuLaunchKernel", at, 5, 5) for at in (5, 20)]
    trace = trace_of(launch(0, 50, 5), *inner, kernel("k", 60, 5, 5))
    assert trace.strings[trace.calls.name[find_launches(trace)[0]]] == "cudaLaunchKernel"


def _skewed(count: int, early: int, by_us: float = 500, thread: int = 1) -> list[Event]:
    """So many launches, of which the last ones' ops carry times that long before they were asked for."""
    events = [span("tracer/prefill", 0, 10_000 * count)]
    for number in range(count):
        at = 1000 * (number + 1)
        ran = at + (10 if number < count - early else -by_us)
        events += [launch(at, 5, number + 1, thread), kernel("k", ran, 5, number + 1)]
    return events


@pytest.mark.parametrize(("count", "early"), [(30, 24), (60, 24), (40, 8), (3, 1)])
def test_a_device_whose_clock_is_off_keeps_its_launches_but_not_the_causes_of_its_idle_time(
    count: int, early: int
) -> None:
    trace = trace_of(*_skewed(count, early))
    assert (find_launches(trace) >= 0).all()
    summary = summarize(trace)
    assert [(stage.stage, stage.ops) for stage in summary.stages] == [("prefill", count)]
    begin = "device ops begins" if early == 1 else "device ops begin"
    assert any(f"{early} of {count} {begin} before" in one for one in summary.trace.warnings)
    assert any("by up to 500.00 µs: the device's clock is off" in one for one in summary.trace.warnings)
    idle = summary.stages[0].idle
    assert (idle.host_ns, idle.sync_ns, idle.launch_ns) == (0, 0, 0)
    assert idle.unknown_ns == summary.stages[0].idle_ns > 0
    late = summarize(trace_of(*_skewed(count, early=0))).stages[0].idle
    assert (late.unknown_ns, late.host_ns > 0) == (0, True)


def test_that_clocks_differ_by_a_microsecond_is_nothing_to_say() -> None:
    trace = trace_of(*_skewed(30, early=24, by_us=1.5))
    assert (find_launches(trace) >= 0).all()
    summary = summarize(trace)
    assert summary.trace.warnings == []
    assert summary.stages[0].idle.unknown_ns == 0


def test_one_op_of_many_before_its_launch_takes_the_cause_of_its_own_gap_alone() -> None:
    trace = trace_of(*_skewed(300, early=1))
    summary = summarize(trace)
    assert not clocks_of(trace, find_launches(trace)).off
    assert any("nothing is said of why the device was idle before them" in one for one in summary.trace.warnings)
    idle = summary.stages[0].idle
    assert idle.host_ns > 200_000_000 > idle.unknown_ns > 0


def test_the_clock_of_one_device_says_nothing_of_another() -> None:
    fine = [event | {"tid": 2} if event["cat"] == "kernel" else event for event in _skewed(30, 0)]
    other = [
        launch(1000 * n + 300, 5, 100 + n) if even else kernel("k", 1000 * n - 4000, 5, 100 + n, device=1)
        for n in range(1, 31)
        for even in (True, False)
    ]
    trace = trace_of(*fine, *other)
    clocks = clocks_of(trace, find_launches(trace))
    assert clocks.devices == [1]
    assert set(trace.ops.device[clocks.distrusted].tolist()) == {1}


@given(gpu_traces())
def test_times_before_zero_are_times_like_others(trace: Trace) -> None:
    by = int(max(trace.ops.end_ns.max(initial=0), JITTER_NS)) * 1000
    assert find_launches(_earlier(trace, by)).tolist() == find_launches(trace).tolist()


def _two_ranks() -> list[Event]:
    """Two processes joined in one file, each with a device of its own."""
    events = [span("tracer/request#0", 0, 1000), span("tracer/prefill", 0, 400), span("tracer/decode#1", 400, 500)]
    for number, at in enumerate((10, 60, 110, 160, 410, 460, 510)):
        events += [launch(at, 5, 10 + number), kernel("gemm", at + 10, 30, 10 + number, device=0)]
    for number, at in enumerate((20, 70, 120, 170, 420, 470)):
        events += [_of_process(200, launch(at, 5, 30 + number)), kernel("gemm", at + 10, 30, 30 + number, device=1)]
    return events


def test_an_op_is_never_given_a_launch_by_which_another_process_launched_its_own() -> None:
    # Launched before the window, so without a record; rank 0 has a call of that number.
    trace = trace_of(*_two_ranks(), kernel("orphan", 112, 8, 12, device=1))
    summary = summarize(trace)
    assert summary.device.unattributed.reasons["no_launch_record"].ops == 1
    assert next(stage.ops for stage in summary.stages if stage.stage == "prefill") == 4


def test_the_twin_without_the_orphan_has_all_its_launches() -> None:
    trace = trace_of(*_two_ranks())
    assert (find_launches(trace) >= 0).all()
    assert summarize(trace).device.unattributed.reasons["no_launch_record"].ops == 0


def _ranks(*more: Event, own_call: bool = True) -> Trace:
    """Each process has a device of its own; the first launched number 12 of the last argument."""
    events: list[Event] = []
    for number in range(6):
        at = 50 * number
        events += [_of_process(100, launch(at, 5, 20 + number)), kernel("gemm", at + 10, 30, 20 + number, device=0)]
        events += [_of_process(200, launch(at, 5, 40 + number)), kernel("gemm", at + 10, 30, 40 + number, device=1)]
    return trace_of(*events, _of_process(100, launch(110, 2, 12)), *more)


@pytest.mark.parametrize("has_an_op_of_its_own", [True, False])
def test_an_op_of_one_rank_is_never_given_the_launch_of_another(has_an_op_of_its_own: bool) -> None:
    own = [kernel("own", 113, 1, 12, device=0)] if has_an_op_of_its_own else []
    trace = _ranks(kernel("orphan", 112, 8, 12, device=1), *own)
    found = dict(zip([trace.strings[name] for name in trace.ops.name], find_launches(trace).tolist(), strict=True))
    assert found["orphan"] == -1
    assert found.get("own", 0) >= 0
    assert sum(call >= 0 for call in find_launches(trace).tolist()) == 12 + len(own)


def test_one_process_may_drive_both_devices() -> None:
    events = [launch(0, 1, 1), kernel("a", 5, 1, 1, device=0), launch(10, 1, 2), kernel("b", 15, 1, 2, device=1)]
    assert find_launches(trace_of(*events)).tolist() == [0, 1]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 60), st.integers(0, 9), st.booleans()), max_size=12))
def test_joined_ranks_launch_what_they_launched_alone(rows: list[tuple[int, int, int, bool]]) -> None:
    """Numbers that both ranks use, ops whose launch was not recorded: each op finds its own launch or none."""
    events: list[Event] = []
    for rank in (0, 1):
        for number in range(20):
            at = 1000 + 50 * number + rank
            events += [_of_process(100 + rank, launch(at, 1, 500 + 100 * rank + number))]
            events += [kernel("whole", at + 5, 1, 500 + 100 * rank + number, device=rank)]
    used = set()
    for rank, at, number, recorded in rows:
        if (rank, number) in used:
            continue
        used.add((rank, number))
        events += [_of_process(100 + rank, launch(at, 1, number + 1))] if recorded else []
        events.append(kernel("some" if recorded else "orphan", at + 5, 1, number + 1, device=rank))
    trace = trace_of(*events)
    for op, found in enumerate(find_launches(trace).tolist()):
        orphan = trace.strings[trace.ops.name[op]] == "orphan"
        assert (found < 0) == orphan
        if found >= 0:
            assert trace.threads[trace.calls.thread[found]][0] == str(100 + int(trace.ops.device[op]))
            assert trace.calls.start_ns[found] == trace.ops.start_ns[op] - 5_000

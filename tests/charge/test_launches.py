from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import reference
from support.chrome import Event, call, kernel, launch, span, trace_of
from support.strategies import gpu_traces

from tracer.charge.launches import doubtful_launches, find_launches
from tracer.summarize import summarize
from tracer.trace.columns import Trace


def _of_process(process: int, event: Event) -> Event:
    return event | {"pid": process}


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


def test_an_op_is_never_given_a_launch_that_begins_after_it() -> None:
    trace = trace_of(kernel("k0", 0, 5, 5), launch(10, 2, 5), kernel("k1", 20, 5, 5), kernel("k2", 30, 5, 6))
    assert find_launches(trace).tolist() == [-1, 0, -1]
    said = doubtful_launches(trace, find_launches(trace))
    assert said is not None
    assert said.startswith("1 device ops have the number of a call that began after them")


def test_where_every_op_has_its_launch_nothing_is_said() -> None:
    trace = trace_of(launch(10, 2, 5), kernel("k1", 10, 5, 5), kernel("unknown", 30, 5, 6))
    assert find_launches(trace).tolist() == [0, -1]
    assert doubtful_launches(trace, find_launches(trace)) is None


@given(gpu_traces())
def test_no_launch_begins_after_its_op(trace: Trace) -> None:
    call = find_launches(trace)
    joined = call >= 0
    assert (trace.calls.start_ns[call[joined]] <= trace.ops.start_ns[joined]).all()


def test_of_a_runtime_call_and_two_driver_calls_below_it_the_outer_counts() -> None:
    inner = [call("cuLaunchKernel", at, 5, 5) for at in (5, 20)]
    trace = trace_of(launch(0, 50, 5), *inner, kernel("k", 60, 5, 5))
    assert trace.strings[trace.calls.name[find_launches(trace)[0]]] == "cudaLaunchKernel"


def _skewed(count: int, early: int) -> Trace:
    """So many launches, of which the last ones' ops carry times 500 us before they were asked for."""
    events = [span("tracer/prefill", 0, 10_000 * count)]
    for number in range(count):
        at = 1000 * (number + 1)
        events += [launch(at, 5, number + 1), kernel("k", at + (10 if number < count - early else -500), 5, number + 1)]
    return trace_of(*events)


def test_a_device_whose_clock_is_off_keeps_its_launches_but_not_the_causes_of_its_idle_time() -> None:
    trace = _skewed(count=30, early=24)
    assert (find_launches(trace) >= 0).all()
    summary = summarize(trace)
    assert [(stage.stage, stage.ops) for stage in summary.stages] == [("prefill", 30)]
    assert any(
        "24 device ops begin before their launch: the device's clock is off" in one for one in summary.trace.warnings
    )
    late = summarize(_skewed(count=30, early=0)).stages[0].idle
    idle = summary.stages[0].idle
    assert idle.unknown_ns > 20 * 900_000
    assert (late.unknown_ns, late.host_ns > 0) == (0, True)


def test_some_ops_before_their_launches_are_no_clock() -> None:
    trace = _skewed(count=60, early=24)
    assert (find_launches(trace) < 0).sum() == 24
    assert any("24 device ops have the number of a call" in one for one in summarize(trace).trace.warnings)


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

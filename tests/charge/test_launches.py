from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import reference
from support.chrome import Event, call, kernel, launch, trace_of
from support.strategies import gpu_traces

from tracer.charge.launches import find_launches
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


def test_an_op_launched_before_the_recording_is_not_given_the_launch_of_a_later_one() -> None:
    trace = trace_of(kernel("before", 0, 5, 5), launch(10, 2, 5), kernel("own", 20, 5, 5))
    assert find_launches(trace).tolist() == [-1, 0]


def test_ops_that_all_began_before_their_launch_keep_it_as_clocks_disagree() -> None:
    trace = trace_of(kernel("k", 0, 5, 5), launch(10, 2, 5), kernel("k", 20, 5, 6), launch(30, 2, 6))
    assert find_launches(trace).tolist() == [0, 1]


def test_kernels_of_one_graph_keep_its_launch_wherever_they_began() -> None:
    trace = trace_of(call("cudaGraphLaunch", 10, 2, 5), kernel("node", 5, 3, 5), kernel("node", 15, 5, 5))
    assert find_launches(trace).tolist() == [0, 0]


def test_an_id_that_came_again_is_joined_to_the_runtimes_call_not_the_drivers_inside() -> None:
    events = []
    for at in (0, 100):
        events += [launch(at, 20, 5), call("cuLaunchKernel", at + 5, 5, 5), kernel("k", at + 30, 5, 5)]
    trace = trace_of(*events)
    found = find_launches(trace).tolist()
    assert [trace.strings[trace.calls.name[call]] for call in found] == ["cudaLaunchKernel"] * 2
    assert trace.calls.start_ns[found].tolist() == [0, 100_000]


def _two_ranks(*more: Event, own_call: bool = True) -> Trace:
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
    trace = _two_ranks(kernel("orphan", 112, 8, 12, device=1), *own)
    found = dict(zip([trace.strings[name] for name in trace.ops.name], find_launches(trace).tolist(), strict=True))
    assert found["orphan"] == -1
    assert found.get("own", 0) >= 0
    assert sum(call >= 0 for call in find_launches(trace).tolist()) == 12 + len(own)


def test_one_process_may_drive_both_devices() -> None:
    events = [launch(0, 1, 1), kernel("a", 5, 1, 1, device=0), launch(10, 1, 2), kernel("b", 15, 1, 2, device=1)]
    assert find_launches(trace_of(*events)).tolist() == [0, 1]


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

from __future__ import annotations

from hypothesis import given
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

from __future__ import annotations

from hypothesis import given
from support.chrome import OTHER, kernel, launch, operator, span, trace_of
from support.strategies import cpu_traces, gpu_traces

from tracer.charge.launches import find_launches
from tracer.charge.stages.find import find_stages
from tracer.charge.work import NO_DEVICE, Work, work_of
from tracer.trace.columns import NO_THREAD, Trace


def _work(trace: Trace) -> Work:
    return work_of(trace, find_stages(trace))


def test_a_device_op_has_the_columns_of_the_call_that_launched_it() -> None:
    trace = trace_of(launch(2, 3, 1, tid=OTHER), kernel("k", 9, 4, 1, device=2, stream=7), kernel("orphan", 20, 1))
    work = _work(trace)
    assert (work.on_device, work.place, work.noun) == (True, "gpu", "device")
    assert (work.device.tolist(), work.track.tolist()) == ([2, 0], [7, trace.ops.stream[1]])
    assert (work.call_start_ns.tolist(), work.call_end_ns.tolist()) == ([2_000, 0], [5_000, 0])
    assert trace.threads[work.call_thread[0]][1] == str(OTHER)
    assert trace.strings[work.call_name[0]] == "cudaLaunchKernel"
    assert (work.call_thread[1], work.call[1], work.call_name[1]) == (NO_THREAD, -1, -1)
    assert work.asked.tolist() == [True, False]


def test_an_operator_was_asked_for_by_itself_and_by_no_call() -> None:
    work = _work(trace_of(span("tracer/vision", 0, 10), operator("aten::mm", 2, 3)))
    assert (work.on_device, work.place, work.noun) == (False, "cpu", "operator")
    assert (work.call_start_ns.tolist(), work.call.tolist(), work.asked.tolist()) == ([2_000], [-1], [True])
    assert (work.stage.tolist(), work.device.tolist(), work.busy_ns.tolist()) == ([0], [NO_DEVICE], [3_000])


@given(gpu_traces())
def test_the_joined_columns_are_those_of_the_calls(trace: Trace) -> None:
    work, calls = _work(trace), trace.calls
    if not len(trace.ops):
        return
    assert work.call.tolist() == find_launches(trace).tolist()
    for row, call in enumerate(work.call.tolist()):
        joined = [
            int(column[row]) for column in (work.call_start_ns, work.call_end_ns, work.call_thread, work.call_name)
        ]
        expected = [0, 0, NO_THREAD, -1]
        if call >= 0:
            expected = [int(column[call]) for column in (calls.start_ns, calls.end_ns, calls.thread, calls.name)]
        assert joined == expected


@given(cpu_traces())
def test_work_without_a_device_is_all_of_the_operators_in_their_order(trace: Trace) -> None:
    work = _work(trace)
    assert work.start_ns.tolist() == trace.cpu_ops.start_ns.tolist()
    assert (work.host_ns.tolist(), work.sync_ns.any()) == (work.idle_ns.tolist(), False)

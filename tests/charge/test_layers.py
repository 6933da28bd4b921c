from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chrome import OTHER, Event, call, kernel, launch, module, operator, span, trace_of
from support.strategies import gpu_events, lengths, threads, times

from tracer.charge.layers import Layer, layers_of, named_layers
from tracer.charge.spans import self_times
from tracer.charge.stages.find import find_stages
from tracer.trace.columns import Trace


def _layers(*events: Event) -> list[list[int]]:
    """Waiting, copying, launching, held up, operators and Python of each stage range, in microseconds."""
    trace = trace_of(*events)
    return (layers_of(trace, find_stages(trace)).time_ns // 1000).tolist()


WORK = kernel("k", 90, 1, 99)


def test_each_layer_is_what_lies_in_no_layer_before_it() -> None:
    events = [
        span("tracer/prefill", 0, 100),
        operator("aten::linear", 10, 40), operator("aten::mm", 15, 20), launch(20, 5, 1),
        call("cudaMemcpyAsync", 40, 4, 2), operator("aten::item", 60, 30), call("cudaStreamSynchronize", 65, 20, 3),
    ]  # fmt: skip
    assert _layers(*events, WORK) == [[20, 4, 5, 0, 40 - 9 + 30 - 20, 30]]


def test_a_drivers_call_inside_the_runtimes_is_counted_once() -> None:
    inner = {**launch(12, 4, 1), "name": "cuLaunchKernel", "cat": "cuda_driver"}
    assert _layers(span("tracer/vision", 0, 50), launch(10, 8, 1), inner, operator("a", 40, 1), WORK) == [
        [0, 0, 8, 0, 1, 41]
    ]


def test_a_copy_that_waits_is_a_wait() -> None:
    assert _layers(span("tracer/vision", 0, 50), call("cudaMemcpy", 10, 8, 1), WORK)[0][Layer.SYNC] == 8


def test_what_neither_launches_nor_copies_nor_waits_is_part_of_what_calls_it() -> None:
    events = [span("tracer/vision", 0, 50), operator("aten::empty", 10, 10), call("cuModuleLoadData", 12, 5)]
    assert _layers(*events, WORK) == [[0, 0, 0, 0, 10, 40]]


def test_operators_and_calls_of_other_threads_and_outside_the_range_are_not_its_time() -> None:
    events = [
        span("tracer/vision", 10, 10), operator("aten::mm", 0, 50, tid=OTHER), launch(12, 4, 1, tid=OTHER),
        launch(5, 3, 2), operator("aten::mm", 4, 8), launch(19, 9, 3),
    ]  # fmt: skip
    assert _layers(*events, WORK) == [[0, 0, 1, 0, 2, 7]]


def test_the_time_of_a_stage_within_a_stage_is_the_inner_ones() -> None:
    events = [span("tracer/prefill", 0, 30), span("tracer/vision", 10, 10), launch(8, 4, 1), operator("a", 25, 2)]
    assert _layers(*events, WORK) == [[0, 0, 2, 0, 2, 16], [0, 0, 2, 0, 0, 8]]


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("<built-in function sleep>", 10),
        ("<built-in method acquire of _thread.lock object at 0x7f21>", 10),
        ("<built-in method poll of select.epoll object at 0x7f21>", 10),
        ("<built-in function sleepy>", 0),
        ("<built-in method acquire of Camera object at 0x7f21>", 0),
        ("time.py(3): sleep", 0),
    ],
)
def test_sleep_and_waits_for_other_threads_are_told_by_their_frames(name: str, held: int) -> None:
    """Not those of other threads, nor what a launch or a wait for the device takes within them."""
    frame = {**module("x", 10, 14), "name": name}
    events = [
        span("tracer/vision", 0, 50), operator("aten::mm", 8, 20), frame, {**frame, "tid": OTHER}, launch(12, 4, 1),
    ]  # fmt: skip
    assert _layers(*events, WORK) == [[0, 0, 4, held, 16 - held, 30]]


@st.composite
def _events(draw: st.DrawFn) -> list[Event]:
    def spans(make: type[Event] | object, count: int) -> list[Event]:
        return draw(st.lists(make, max_size=count))  # type: ignore[arg-type]

    names = st.sampled_from(["aten::mm", "aten::add"])
    operators = st.builds(lambda n, t, d, tid: operator(n, t / 1000, d / 1000, tid), names, times, lengths, threads)
    modules = st.builds(lambda n, t, d: module(n, t / 1000, d / 1000), st.sampled_from(["A_0", "B_1"]), times, lengths)
    frames = st.sampled_from(["<built-in function sleep>", "<built-in method acquire of _thread.lock object at 0x1>"])
    waits = st.builds(lambda n, t, d: {**module("x", t / 1000, d / 1000), "name": n}, frames, times, lengths)
    copies = st.builds(lambda t, d, tid: call("cudaMemcpyAsync", t / 1000, d / 1000, 9, tid), times, lengths, threads)
    return [*draw(gpu_events()), *spans(operators, 8), *spans(modules, 4), *spans(copies, 3), *spans(waits, 4)]


@given(_events().map(lambda events: trace_of(*events)))
def test_every_nanosecond_of_a_range_is_in_one_layer_and_under_one_name(trace: Trace) -> None:
    ranges = find_stages(trace)
    layers = layers_of(trace, ranges)
    assert (layers.time_ns >= 0).all()
    assert layers.time_ns.sum(axis=1).tolist() == self_times(ranges).tolist()
    named = named_layers(trace, ranges)
    again = np.zeros_like(layers.time_ns)
    np.add.at(again, (named.range, named.layer), named.time_ns)
    assert (again == layers.time_ns).all()


@pytest.mark.parametrize(("tid", "told"), [(1, True), (OTHER, False)])
def test_operators_count_as_recorded_where_the_ranges_thread_has_any(tid: int, told: bool) -> None:
    trace = trace_of(span("tracer/vision", 0, 10), launch(2, 1, 1), operator("aten::mm", 50, 1, tid=tid), WORK)
    assert layers_of(trace, find_stages(trace)).told.tolist() == [told]

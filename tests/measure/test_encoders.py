from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.chrome import MAIN, OTHER, kernel, launch, operator, span, trace_of

from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of
from tracer.measure.encoders import EncoderRuns, encoder_runs
from tracer.trace.columns import Trace


def _runs(trace: Trace) -> EncoderRuns:
    ranges = find_stages(trace)
    return encoder_runs(ranges, work_of(trace, ranges))


def test_each_run_has_the_stage_around_it_and_the_work_launched_inside() -> None:
    ranges = [span("tracer/vision", 0, 40), span("tracer/prefill", 100, 40)]
    encoders = [span("tracer/encoder", at, 20) for at in (5, 110, 200)]
    work = [
        event
        for n, at in enumerate((4, 6, 115, 129, 130, 210))
        for event in (launch(at, 1, n), kernel("k", 1000 + 10 * n, n + 1, n))
    ]
    runs = _runs(trace_of(*ranges, *encoders, *work))
    assert runs.stage == ["vision", "prefill", ""]
    assert runs.time_ns == [2_000, 3_000 + 4_000, 6_000]


def test_another_threads_launches_and_kernels_without_one_are_not_its_work() -> None:
    events = [launch(10, 1, 1, tid=OTHER), kernel("k", 12, 5, 1), kernel("stray", 20, 5)]
    assert _runs(trace_of(span("tracer/vision", 0, 40), span("tracer/encoder", 0, 40), *events)).time_ns == [0]


def test_on_a_cpu_the_operators_are_the_work() -> None:
    operators = [operator("a", 6, 3), operator("b", 30, 4)]
    assert _runs(trace_of(span("tracer/vision", 0, 40), span("tracer/encoder", 5, 20), *operators)).time_ns == [3_000]


@given(
    runs=st.lists(
        st.tuples(st.integers(0, 50), st.integers(1, 30), st.sampled_from([MAIN, OTHER])), min_size=1, max_size=6
    ),
    launches=st.lists(st.tuples(st.integers(0, 60), st.sampled_from([MAIN, OTHER])), max_size=12),
)
def test_all_runs_together_have_each_launch_inside_any_of_them_once(
    runs: list[tuple[int, int, int]], launches: list[tuple[int, int]]
) -> None:
    events = [span("tracer/vision", 0, 1)]
    events += [span("tracer/encoder", at, length, tid=tid) for at, length, tid in runs]
    for n, (at, tid) in enumerate(launches):
        events += [launch(at, 0.5, n + 1, tid=tid), kernel("k", 1000 + 20 * n, n + 1, n + 1)]
    held = {
        n + 1
        for n, (at, tid) in enumerate(launches)
        if any(tid == own and begin <= at < begin + length for begin, length, own in runs)
    }
    assert sum(_runs(trace_of(*events)).time_ns) == 1000 * sum(held)

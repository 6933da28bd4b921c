from __future__ import annotations

from hypothesis import given
from support.chrome import OTHER, kernel, launch, operator, span, trace_of
from support.strategies import cpu_traces, gpu_traces

from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of
from tracer.measure.runs import Runs, runs_of
from tracer.trace.columns import Trace


def _runs(trace: Trace) -> Runs:
    ranges = find_stages(trace)
    return runs_of(ranges, work_of(trace, ranges), trace.manifest)


def test_a_run_lasts_from_its_first_work_to_its_last_on_whichever_device() -> None:
    trace = trace_of(
        span("tracer/request#3", 0, 100), span("tracer/vision", 0, 10), span("tracer/decode#1", 20, 10),
        launch(1, 1, 1), kernel("a", 5, 20, 1), launch(2, 1, 2), kernel("b", 10, 30, 2, device=1),
        launch(21, 1, 3), kernel("c", 50, 5, 3),
    )  # fmt: skip
    vision, decode = _runs(trace)
    assert (vision.stage, vision.request, vision.index) == ("vision", 3, -1)
    assert (vision.devices, vision.start_ns, vision.end_ns, vision.wall_ns) == ((0, 1), 5_000, 40_000, 35_000)
    assert (vision.busy_ns, vision.rows.tolist()) == (50_000, [0, 1])
    assert (decode.stage, decode.index, decode.devices, decode.wall_ns) == ("decode", 1, (0,), 5_000)


def test_a_run_that_asked_for_nothing_lasts_as_long_as_its_range() -> None:
    trace = trace_of(span("tracer/load", 0, 10), launch(1, 1, 1, tid=OTHER), kernel("elsewhere", 3, 1, 1))
    (load,) = _runs(trace)
    assert (load.start_ns, load.end_ns, load.devices, len(load.rows)) == (0, 10_000, (), 0)


def test_operators_are_the_work_of_a_run_on_a_cpu_which_is_no_device() -> None:
    (vision,) = _runs(trace_of(span("tracer/vision", 0, 10), operator("aten::mm", 2, 3), operator("aten::add", 6, 1)))
    assert (vision.devices, vision.wall_ns, vision.busy_ns, vision.idle_ns) == ((), 5_000, 4_000, 1_000)


@given(gpu_traces() | cpu_traces())
def test_each_piece_of_work_is_in_the_run_it_is_charged_to_and_in_no_other(trace: Trace) -> None:
    runs = _runs(trace)
    work = runs.work
    for place, run in enumerate(runs):
        assert run.rows.tolist() == [row for row in range(len(work)) if work.stage[row] == place]
        assert run.busy_ns == int(work.busy_ns[run.rows].sum())
        assert run.idle_ns == int(work.idle_ns[run.rows].sum())
        if len(run.rows):
            assert run.start_ns == work.start_ns[run.rows].min()
            assert run.end_ns == work.end_ns[run.rows].max()

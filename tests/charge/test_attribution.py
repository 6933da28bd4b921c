from __future__ import annotations

import pytest
from support.chrome import MAIN, OTHER, call, kernel, launch, span, trace_of

from tracer.charge.attribution import Reason
from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of_ops
from tracer.choices import Choices
from tracer.document.names import ALL_STAGES
from tracer.summarize import summarize
from tracer.trace.columns import Trace


def _stages_of_ops(trace: Trace) -> list[str]:
    ranges = find_stages(trace)
    stage = work_of_ops(trace, ranges).stage
    return [ALL_STAGES[ranges.stage[i]] if i >= 0 else "-" for i in stage.tolist()]


def test_an_op_belongs_to_the_stage_that_launched_it_not_the_one_it_ran_in() -> None:
    trace = trace_of(
        span("tracer/vision", 0, 10),
        span("tracer/prefill", 10, 10),
        launch(1, 1, 1),
        launch(11, 1, 2),
        kernel("late", 15, 1, 1),
        kernel("later", 30, 1, 2),
    )
    assert _stages_of_ops(trace) == ["vision", "prefill"]


def test_the_innermost_range_counts() -> None:
    trace = trace_of(span("tracer/decode#1", 0, 10), span("tracer/vision", 2, 4), launch(3, 1, 1), kernel("k", 5, 1, 1))
    assert _stages_of_ops(trace) == ["vision"]


def test_ranges_of_another_thread_do_not_count_and_say_so() -> None:
    trace = trace_of(
        span("tracer/vision", 0, 10),
        launch(3, 1, 1, tid=OTHER),
        launch(13, 1, 2, tid=OTHER),
        launch(3, 1, 4),
        kernel("elsewhere", 5, 1, 1),
        kernel("outside", 15, 1, 2),
        kernel("orphan", 17, 1, 3),
        kernel("inside", 19, 1, 4),
    )
    reasons = [Reason(reason) for reason in work_of_ops(trace, find_stages(trace)).reason]
    assert reasons == [
        Reason.OTHER_THREAD,
        Reason.OUTSIDE_RANGES,
        Reason.NO_LAUNCH_RECORD,
        Reason.ATTRIBUTED,
    ]


def test_all_kernels_of_a_graph_launch_belong_to_it() -> None:
    trace = trace_of(
        span("tracer/decode#3", 0, 10),
        call("cudaGraphLaunch", 1, 1, 9),
        *[kernel(f"node{i}", 20 + i, 1, 9) for i in range(3)],
    )
    assert _stages_of_ops(trace) == ["decode"] * 3


def test_a_launch_at_the_end_of_a_range_is_outside() -> None:
    trace = trace_of(span("tracer/vision", 0, 10), launch(10, 1, 1, tid=MAIN), kernel("k", 12, 1, 1))
    assert _stages_of_ops(trace) == ["-"]


def _beside(process: int) -> Trace:
    """A decode step on one thread, and a launch of another process, or of another thread of its own."""
    other = launch(30, 5, 2, tid=7) | {"pid": process}
    return trace_of(
        span("tracer/request#0", 0, 1000), span("tracer/decode#1", 0, 900), launch(10, 5, 1),
        kernel("mine", 20, 100, 1, device=0), other, kernel("other", 40, 800, 2, device=1),
    )  # fmt: skip


@pytest.mark.parametrize(("process", "reason", "ops"), [(100, "other_thread", 2), (200, "outside_ranges", 1)])
def test_any_thread_stays_within_the_process(process: int, reason: str, ops: int) -> None:
    trace = _beside(process)
    reasons = summarize(trace).device.unattributed.reasons
    assert reasons[reason].ops == sum(one.ops for one in reasons.values()) == 1
    assert [stage.ops for stage in summarize(trace, Choices(any_thread=True)).stages] == [ops]

from __future__ import annotations

import pytest
from support.chrome import call, kernel, launch, span, trace_of
from support.findings import waiting_steps

from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of
from tracer.measure.waits import Waits, waits_of_decode
from tracer.trace.columns import Trace

SYNC = "cudaStreamSynchronize"


def _waits(trace: Trace) -> Waits:
    ranges = find_stages(trace)
    return waits_of_decode(trace, ranges, work_of(trace, ranges))


def test_the_gap_behind_each_wait_is_counted_and_the_last_has_none() -> None:
    waits = _waits(trace_of(*waiting_steps(gap=30, count=4)))
    assert (waits.names, waits.gaps_ns) == (["cudaStreamSynchronize"] * 4, 3 * 30_000)


def test_two_waits_before_one_launch_drain_the_device_once() -> None:
    twice = [call("cudaStreamSynchronize", 100 * k + 95, 1) for k in range(4)]
    waits = _waits(trace_of(*waiting_steps(gap=10, count=4), *twice))
    assert (len(waits.calls), waits.gaps_ns) == (8, 3 * 10_000)


def test_of_nested_waits_the_outer_counts_and_waits_of_other_stages_do_not() -> None:
    events = [span("tracer/prefill", 0, 10), call("cudaDeviceSynchronize", 5, 2), span("tracer/decode#1", 10, 50)]
    nested = [call("cudaDeviceSynchronize", 20, 10), call("cudaStreamSynchronize", 21, 5)]
    waits = _waits(trace_of(*events, *nested, launch(12, 1, 1), kernel("k", 14, 5, 1)))
    assert waits.names == ["cudaDeviceSynchronize"]
    assert waits.gaps_ns == 0


def test_a_pause_behind_one_wait_counts_as_the_gap_of_the_usual_step_and_a_longer_gap_as_itself() -> None:
    def held_up(by: float) -> Trace:
        late = [{**event, "ts": event["ts"] + by} if event["ts"] >= 500 else event for event in waiting_steps(gap=30)]
        return trace_of(*late)

    steps = len(_waits(held_up(0)).calls)
    assert _waits(held_up(0)).gaps_ns == (steps - 1) * 30_000
    assert _waits(held_up(5_000)).gaps_ns == (steps - 1) * 30_000
    assert _waits(held_up(100)).gaps_ns == (steps - 1) * 30_000 + 100_000


@pytest.mark.parametrize(("follows", "counts"), [("tracer/prefill", False), ("tracer/decode#2", True)])
def test_the_gap_behind_the_last_step_of_a_request_is_of_the_next_one(follows: str, counts: bool) -> None:
    step = [span("tracer/decode#1", 0, 100), launch(1, 1, 1), kernel("k", 3, 80, 1), call(SYNC, 4, 80)]
    behind = [span(follows, 100, 100), launch(150, 1, 2), kernel("k", 153, 20, 2)]
    assert (_waits(trace_of(*step, *behind)).gaps_ns > 0) is counts

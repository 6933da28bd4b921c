from __future__ import annotations

import pytest
from support.chrome import Event, call, kernel, launch, span, trace_of

from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of
from tracer.measure.between_steps import BetweenSteps, between_steps

DECODE = "step[DECODE bs=4]"


def _between(*events: Event) -> BetweenSteps | None:
    trace = trace_of(*events)
    ranges = find_stages(trace)
    return between_steps(trace, ranges, work_of(trace, ranges))


def _steps(gap: float, count: int = 4, inside: float = 0) -> list[Event]:
    """Steps of two kernels of 40 us, `inside` apart, `gap` before the next step's; launched just before they run."""
    events: list[Event] = []
    at = 0.0
    for step in range(count):
        events.append(span(DECODE, at, 80 + inside))
        for number, start in ((2 * step + 1, at), (2 * step + 2, at + 40 + inside)):
            events += [launch(start, 0.5, number), kernel("k", start + 1, 40, number)]
        at += 80 + inside + gap
    return events


def test_gaps_between_two_steps_are_added_up_by_cause() -> None:
    found = _between(*_steps(20))
    assert found is not None
    assert found.told.gaps == 3
    assert (found.told.idle.host_ns, found.told.idle.launch_ns) == (3 * 19_000, 3 * 1_000)
    assert found.told.longest_ns == 20_000
    assert found.told.of_ns == 8 * 40_000 + 3 * 20_000
    assert found.host_ns_of("decode") == 57_000
    assert found.host_ns_of("prefill") == 0


def test_gaps_inside_a_step_are_the_steps_own() -> None:
    found = _between(*_steps(0, inside=20))
    assert found is None


def test_a_pause_longer_than_a_step_is_nobodys() -> None:
    found = _between(*_steps(5_000))
    assert found is not None
    assert found.told.idle.total_ns == 3 * 1_000  # from the launch on something was asked for


def test_what_was_asked_for_and_did_not_start_counts_however_long() -> None:
    late = [launch(-10, 1, 90), kernel("early", -5, 4, 90), launch(-1, 0.5, 91), kernel("late", 9_000, 5, 91)]
    step = [span(DECODE, -50, 9_200), *late]
    events = [span(DECODE, -2_000, 1_000), launch(-1_990, 1, 80), kernel("k", -1_980, 900, 80), *step]
    found = _between(*events)
    assert found is not None
    assert found.told.gaps == 1  # before "early"; what follows is within one step


def test_work_before_a_step_is_of_none_and_its_gap_lies_between() -> None:
    found = _between(
        span(DECODE, 0, 100), launch(1, 1, 1), kernel("k", 5, 50, 1),
        span("step[IDLE bs=0]", 110, 1), launch(112, 1, 2), kernel("prepare", 900, 10, 2),
        span(DECODE, 950, 100), launch(951, 1, 3), kernel("k", 1_000, 50, 3),
    )  # fmt: skip
    assert found is not None
    assert found.told.gaps == 2


def test_ranges_that_are_no_engines_have_no_steps() -> None:
    assert _between(span("tracer/decode#1", 0, 9), launch(1, 1, 1), kernel("k", 2, 4, 1)) is None


def test_a_part_of_a_step_is_not_another_step() -> None:
    found = _between(
        span("step[EXTEND bs=1 toks=9]", 0, 100), span("sglang.vlm.mm_embedding", 1, 20),
        launch(2, 1, 1), kernel("vit", 5, 10, 1), launch(50, 1, 2), kernel("k", 60, 10, 2),
    )  # fmt: skip
    assert found is None


@pytest.mark.parametrize("waits", [True, False])
def test_the_host_waiting_between_steps_is_a_cause_of_its_own(waits: bool) -> None:
    events = _steps(20)
    events += [call("cudaStreamSynchronize", 80 + 100 * step, 19) for step in range(3) if waits]
    found = _between(*events)
    assert found is not None
    assert (found.told.idle.sync_ns > found.told.idle.host_ns) == waits


def test_steps_whose_work_was_not_recorded_say_nothing_of_idle_time() -> None:
    """The device was busy in between, for all that is known."""
    assert _between(*_steps(20), span(DECODE, 390, 10), launch(392, 1, 77)) is None


def test_a_graphs_replay_without_kernels_says_nothing_of_idle_time() -> None:
    assert _between(*_steps(20), call("cudaGraphLaunch", 10, 1, 77)) is None
    assert _between(*_steps(20), call("cudaGraphLaunch", 10, 1, 77), kernel("replayed", 11, 5, 77)) is not None

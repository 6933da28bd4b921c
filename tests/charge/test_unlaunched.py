"""Ops whose launch was not recorded: whose they may be, and which of them only came before the profiler."""

from __future__ import annotations

from support.chrome import OTHER, Event, call, capture, kernel, launch, span, trace_of

from tracer.charge.stages.find import find_stages
from tracer.charge.unlaunched import Unlaunched, unlaunched
from tracer.charge.work import work_of

RANGES = [span("tracer/prefill", 0, 100), *[span(f"tracer/decode#{k}", 100 * k, 100) for k in range(1, 6)]]


def _found(*events: Event) -> Unlaunched | None:
    trace = trace_of(*RANGES, *events)
    ranges = find_stages(trace)
    return unlaunched(trace, ranges, work_of(trace, ranges))


def _step(number: int, *, called: bool = True, **more: int) -> list[Event]:
    """In range `number` a launch and its kernel; or without its call."""
    at, correlation = 100 * number, 10 + number
    return [*([launch(at + 5, 4, correlation)] if called else []), kernel("k", at + 20, 30, correlation, **more)]


def test_an_op_behind_others_of_its_stream_has_lost_its_call_and_may_be_of_the_stages_around() -> None:
    assert _found(*_step(0), *_step(2), *_step(3, called=False), *_step(4)) == Unlaunched(1, ["decode"])
    assert _found(*_step(0), *_step(1, called=False), *_step(2)) == Unlaunched(1, ["prefill", "decode"])
    assert _found(*_step(0), *_step(2), *_step(3), *_step(4)) is None


def test_what_comes_first_on_its_stream_was_launched_before_the_profiler_began() -> None:
    assert _found(*_step(0, called=False), *_step(1, called=False), *_step(2), *_step(3)) is None
    # On a stream of its own, and in a second recording in the same file.
    assert _found(*_step(0), *_step(2), *_step(3, called=False, stream=8), *_step(4)) is None
    again = [capture(0, 250), capture(290, 300)]
    assert _found(*again, *_step(0), *_step(2), *_step(3, called=False), *_step(4)) is None


def test_a_call_between_calls_of_nearer_numbers_was_made_between_them() -> None:
    side = [launch(5, 2, 1), kernel("s", 30, 5, 1, stream=8), launch(490, 2, 90), kernel("s", 495, 5, 90, stream=8)]
    lost = [kernel("s", 380, 5, 33, stream=8)]
    steps = [launch(310, 2, 32), kernel("k", 312, 5, 32), launch(340, 2, 34), kernel("k", 343, 5, 34)]
    assert _found(*side, *lost, *steps) == Unlaunched(1, ["decode"])
    assert _found(*side, *lost) == Unlaunched(1, ["prefill", "decode"])


def test_what_comes_last_on_its_stream_has_lost_its_call_if_its_number_is_between_those_of_calls() -> None:
    last = _step(4, called=False)
    assert _found(*_step(0), *_step(2), *last) is None
    assert _found(*_step(0), *_step(2), *last, call("cudaStreamSynchronize", 410, 60, 15)) == Unlaunched(1, ["decode"])


def test_an_op_whose_number_a_call_bears_or_that_has_none_has_lost_no_call() -> None:
    late = [kernel("k", 320, 30, 13), launch(390, 4, 13), kernel("k", 395, 3, 13)]
    assert _found(*_step(0), *_step(2), *late, *_step(4)) is None
    assert _found(*_step(0), *_step(2), kernel("k", 320, 30), *_step(4)) is None


def test_a_trace_without_stages_or_launches_asks_for_nobody() -> None:
    trace = trace_of(*_step(0), *_step(2), *_step(3, called=False), *_step(4))
    ranges = find_stages(trace)
    assert unlaunched(trace, ranges, work_of(trace, ranges)) is None
    assert _found(*_step(2, called=False), *_step(3, called=False)) is None
    assert _found(*_step(0), *[{**event, "tid": OTHER} for event in _step(2)]) is None

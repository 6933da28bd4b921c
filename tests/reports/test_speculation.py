"""What a report says of speculative decoding."""

from __future__ import annotations

from support.chrome import Event, kernel, launch, operator, span, trace_of
from support.rounds import rounds

from reports.document import of_summary
from reports.render.text import render
from tracer.summarize import summarize


def _said(*results: tuple[int, int] | None, **costs: float) -> str:
    summary = summarize(trace_of(*rounds(results, **costs)))  # type: ignore[arg-type]
    return " ".join(render(of_summary(summary), width=100).split())


def test_rounds_are_counted_and_held_against_the_target_alone() -> None:
    said = _said((2, 2), (2, 2), (2, 1))
    assert "3 rounds · drafted 6 · accepted 5 (83%) · tokens 8" in said
    assert "accepted by position: 1 100% · 2 67%" in said
    assert "the target alone: 240 µs for the tokens of rounds that took 180 µs: drafting gains, 1.33 x" in said
    assert "breaks even at an acceptance of 50%" in said


def test_rounds_that_take_as_long_as_the_target_alone_gain_and_lose_nothing() -> None:
    assert "took 120 µs: drafting changes nothing, 1.00 x" in _said((2, 1), (2, 1))
    assert "drafting loses, 0.98 x" in _said((2, 1), (2, 1), verify=41)


def test_of_several_requests_a_round_says_whose_it_is() -> None:
    events = []
    for request in range(2):
        at, number = 1000.0 * request, 10 * request + 1
        events += [span(f"tracer/request#{request}", at, 100)]
        events += [span("tracer/draft#1", at, 10), launch(at + 1, 1, number), kernel("d", at + 3, 5, number)]
        events += [span("tracer/verify#1", at + 20, 30), span("tracer/result:drafted=2,accepted=1", at + 25, 0)]
        events += [launch(at + 21, 1, number + 1), kernel("v", at + 23, 20, number + 1)]
    said = " ".join(render(of_summary(summarize(trace_of(*events))), width=100).split())
    assert "1 of request 0 2 1 2" in said
    assert "1 of request 1 2 1 2" in said
    assert "of request" not in _said((2, 1))


def test_mapping_waiting_and_what_rejected_tokens_cost_are_said_apart() -> None:
    said = _said((2, 2), (2, 1), (2, 0), mapping=5)
    assert "round drafted accepted yielded drafting mapping verifying waiting" in said
    assert "on average 20.0 µs 5.00 µs 40.0 µs 0 ns" in said
    assert "a rejected token costs 10.0 µs of drafting, all of them 37.5 µs (19.2%)" in said
    assert "drafted beside the target's prompt, before its prefill ended: nothing" in said
    assert "mapping" not in _said((2, 2), (2, 1))


def test_what_checks_of_different_lengths_took_is_said() -> None:
    assert "drafted tokens checked: 1 in 40.0 µs · 2 in 40.0 µs" in _said((1, 1), (2, 1), (2, 2))
    assert "drafted tokens checked" not in _said((2, 1), (2, 2))


def test_what_is_not_told_is_unknown_and_never_a_figure() -> None:
    said = _said(None, None)
    assert "1 of 2 rounds say what was accepted: 1 of 2 drafted tokens" in _said(None, (2, 1))
    assert "say what was accepted" not in said
    assert "2 rounds · drafted unknown · accepted unknown · tokens unknown" in said
    assert "the target alone:" not in said
    assert "breaks even" not in said


def test_of_many_rounds_the_first_are_listed() -> None:
    assert "The first 8 of 9 are listed." in _said(*[(1, 1)] * 9)
    assert "are listed" not in _said(*[(1, 1)] * 8)


def test_what_no_round_says_of_its_tokens_has_no_column() -> None:
    assert "round drafting verifying waiting ─" in _said(None, None)
    assert "round drafted accepted yielded drafting verifying waiting ─" in _said(None, (2, 1))


def test_on_a_cpu_no_device_waits() -> None:
    def said(*work: Event) -> str:
        ranges = [span("tracer/draft#1", 0, 10), span("tracer/verify#1", 20, 10), span("tracer/draft#2", 40, 10)]
        result = span("tracer/result:drafted=1,accepted=1", 25, 0)
        trace = trace_of(span("tracer/request#0", 0, 70), *ranges, span("tracer/verify#2", 60, 10), result, *work)
        return " ".join(render(of_summary(summarize(trace)), width=100).split())

    starts = (1, 21, 41, 61)
    on_cpu = said(*(operator("aten::mm", at, 5) for at in starts))
    assert "no operator runs in 69.2% of the rounds: drafting 15.0 µs · verifying 30.0 µs" in on_cpu
    assert "role passes ops self share" in on_cpu
    assert "the device waits" not in on_cpu
    ops = [one for place, at in enumerate(starts, 1) for one in (launch(at, 1, place), kernel("k", at + 1, 5, place))]
    assert "the device waits for 69.2% of the rounds" in said(*ops)

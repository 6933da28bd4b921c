"""What a report says of speculative decoding."""

from __future__ import annotations

from support.chrome import trace_of
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

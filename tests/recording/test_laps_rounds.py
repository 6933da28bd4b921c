"""Rounds of speculative decoding in the clean pass: steps that yield several tokens."""

from __future__ import annotations

from tracer.recording.laps import GAP, measure

PREFILL = ("prefill", None)


def test_a_round_is_a_step_that_yields_what_it_accepted_and_one_more() -> None:
    labels = [PREFILL, ("draft", 1), GAP, ("map", 1), ("verify", 1), ("draft", 2), ("verify", 2)]
    yielded = {("verify", 1): 3, ("verify", 2): 1}
    found, marked = measure(labels, [100, 10, 2, 5, 40, 10, 40], yielded)
    assert (found.decode_ns, found.step_tokens, found.prefill_ns) == ([57, 50], [3, 1], 100)
    assert marked == {"prefill", "decode"}


def test_where_a_round_does_not_say_what_it_yielded_decoding_is_known_as_a_whole() -> None:
    labels = [PREFILL, ("draft", 1), ("verify", 1), ("draft", 2), ("verify", 2)]
    found, _ = measure(labels, [100, 10, 40, 10, 40], {("verify", 1): 3})
    assert (found.decode_ns, found.decode_whole_ns, found.step_tokens) == ([], 100, [])


def test_a_stage_of_another_model_is_time_outside_of_the_targets() -> None:
    found, _ = measure([("draft/prefill", None), PREFILL, ("decode", 1)], [7, 100, 10])
    assert (found.prefill_ns, found.outside_ns, found.decode_ns) == (100, 7, [10])

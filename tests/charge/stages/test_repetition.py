"""What repeats in a sequence of names."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracer.arrays import int64
from tracer.charge.stages.repetition import GRAM, Run, distances, grams, longest, runs


def _codes(*parts: tuple[str, int]) -> np.ndarray:
    return int64([ord(letter) for text, times in parts for letter in text * times])


def test_the_longest_run_has_the_distance_of_what_repeats_and_its_place() -> None:
    codes = _codes(("xyz", 1), ("abcdef", 5), ("uvw", 1))
    assert longest(codes, 3, 1) == [Run(3, 33, 6)]
    assert longest(codes, 3, 1)[0].times == 5


def test_layers_within_steps_are_runs_of_their_own_in_each_step() -> None:
    step = "(" + "layer" * 4 + ")ends"
    codes = _codes(("prompt", 1), (step, 3))
    assert [run.times for run in runs(codes, 5)] == [4, 4, 4]
    assert longest(codes, 3, 1) == [Run(6, 6 + 3 * len(step), len(step))]


def test_single_names_may_differ_within_a_run_and_most_of_some_may_not() -> None:
    codes = _codes(("abcdefgh", 6))
    codes[19] = 0
    assert runs(codes, 8) == [Run(0, 48, 8)]
    codes[16:24] = 0
    assert [run.times for run in runs(codes, 8)] == [2, 3]


def test_nothing_repeats_in_few_names_or_in_different_ones() -> None:
    assert longest(int64([]), 3, 5) == longest(int64([1]), 3, 5) == longest(int64(np.arange(100)), 3, 5) == []
    assert len(grams(int64(np.arange(GRAM - 1)))) == 0


@given(
    st.lists(st.integers(0, 5), min_size=6, max_size=30).filter(lambda step: len(set(step)) > 3),
    st.integers(3, 8),
    st.lists(st.integers(10, 15), max_size=20),
)
def test_whatever_is_repeated_is_found_at_its_length(step: list[int], times: int, before: list[int]) -> None:
    codes = int64([*before, *step * times])
    found = [run for run in runs(codes, len(step)) if run.times >= times]
    assert found
    assert found[0].start <= len(before)
    assert any(len(step) % distance == 0 for distance in distances(codes))

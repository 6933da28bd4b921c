from __future__ import annotations

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.arrays import int64
from tracer.statistics import permutation
from tracer.statistics.permutation import DRAWN, Outcome, align, differ

numbers = st.integers(-50, 50).map(float)


def _differ(first: list[list[float]], second: list[list[float]], strata: list[int] | None = None) -> Outcome:
    values = np.array([*first, *second], dtype=np.float64)
    labels = np.arange(len(values)) >= len(first)
    return differ(values, labels, int64(strata or [0] * len(values)))


def test_groups_apart_have_the_least_p_there_is_and_the_noise_beside_them_does_not() -> None:
    random = np.random.default_rng(3)
    noise = random.normal(size=(10, 6))
    first = [[float(i), *row] for i, row in zip(range(5), noise[:5].tolist(), strict=True)]
    second = [[100.0 + i, *row] for i, row in zip(range(5), noise[5:].tolist(), strict=True)]
    found = _differ(first, second)
    assert (found.permutations, found.exact, found.least_p) == (252, True, pytest.approx(2 / 252))
    assert found.p[0] == pytest.approx(2 / 252)
    assert min(found.p[1:]) > 0.05


@given(st.lists(numbers, min_size=2, max_size=4), st.lists(numbers, min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_one_measure_is_the_exact_rank_sum_test_but_for_ties(first: list[float], second: list[float]) -> None:
    """The reference counts deals whose rank sum is farther out, and those at least as far: p lies in between."""
    values = np.array(first + second)
    order = np.sort(values)
    ranks = np.array([(np.flatnonzero(order == value) + 1).mean() for value in values])
    fair = ranks.mean() * len(second)
    sums = [abs(ranks[list(chosen)].sum() - fair) for chosen in combinations(range(len(values)), len(second))]
    observed = abs(ranks[len(first) :].sum() - fair)
    farther, as_far = (
        np.mean([one > observed + 1e-9 for one in sums]),
        np.mean([one >= observed - 1e-9 for one in sums]),
    )
    (p,) = _differ([[value] for value in first], [[value] for value in second]).p
    assert farther < p <= as_far + 1e-9


@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=6, max_size=6))
@settings(max_examples=40, deadline=None)
def test_adjusted_p_values_are_no_smaller_than_plain_ones(rows: list[list[float]]) -> None:
    # Nor is there a law of how much larger: Bonferroni's bound is of tests whose statistics are distributed alike.
    together = _differ(rows[:3], rows[3:]).p
    alone = [_differ([[row[i]] for row in rows[:3]], [[row[i]] for row in rows[3:]]).p[0] for i in range(3)]
    assert all(adjusted >= plain - 1e-9 for adjusted, plain in zip(together, alone, strict=True))
    assert max(together) <= 1.0


def test_a_measure_said_twice_costs_nothing() -> None:
    random = np.random.default_rng(7)
    rows = random.normal(size=(12, 1)).tolist()
    (once,) = _differ(rows[:6], rows[6:]).p
    assert _differ([row * 2 for row in rows[:6]], [row * 2 for row in rows[6:]]).p == pytest.approx([once, once])


def test_samples_that_differ_widely_hide_no_difference_between_their_requests() -> None:
    heights = [10.0**i for i in range(8)]
    first, second = [[height] for height in heights], [[height + 0.5 + i / 100] for i, height in enumerate(heights)]
    pairs = list(range(8)) * 2
    assert _differ(first, second, pairs).p[0] == pytest.approx(2 / 2**8)
    assert _differ(first, second).p[0] > 0.5


def test_equal_values_do_not_differ_and_one_request_a_side_says_nothing() -> None:
    assert _differ([[1.0, 5.0]] * 5, [[1.0, 5.0]] * 5).p == [1.0, 1.0]
    alone = _differ([[1.0]], [[9.0]])
    assert (alone.p, alone.least_p) == ([1.0], 1.0)
    assert _differ([[0.0]] * 5, [[1.0]] * 5).p[0] == pytest.approx(2 / 252)


def test_of_too_many_permutations_some_are_drawn_always_the_same() -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(40, 2))
    rows[20:, 0] += 3
    found = _differ(rows[:20].tolist(), rows[20:].tolist())
    assert (found.permutations, found.exact) == (DRAWN + 1, False)
    assert found.p[0] == 1 / (DRAWN + 1)
    assert found == _differ(rows[:20].tolist(), rows[20:].tolist())


def test_any_false_claim_is_made_no_more_often_than_stated() -> None:
    """400 tables of five measures of nothing, at 5 %: above 33 would be a matter of 1 in 1000."""
    random = np.random.default_rng(11)
    claims = sum(min(_differ(r[:5].tolist(), r[5:].tolist()).p) <= 0.05 for r in random.normal(size=(400, 10, 5)))
    assert 5 <= claims <= 33


def test_aligning_takes_each_stratums_mean_away() -> None:
    values = np.array([[1.0], [3.0], [10.0], [30.0]])
    assert align(values, int64([0, 0, 1, 1])).tolist() == [[-1], [1], [-10], [10]]


def test_very_many_requests_are_tested_with_fewer_permutations_in_little_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(permutation, "MOST_DRAWN_CELLS", 1_000_000)
    monkeypatch.setattr(permutation, "BLOCK_CELLS", 500_000)
    values = np.random.default_rng(2).normal(size=(20_000, 1))
    values[10_000:] += 0.2
    tracemalloc.start()
    found = differ(values, np.arange(20_000) >= 10_000, np.zeros(20_000, dtype=np.int64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.p, found.permutations) == ([1 / 1000], 1000)
    assert peak < 40e6  # all at once would be 160 MB

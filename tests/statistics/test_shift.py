from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.arrays import int64
from tracer.statistics import shift
from tracer.statistics.permutation import differ
from tracer.statistics.shift import shift_intervals

Draw = Callable[[np.random.Generator, int], np.ndarray]
DISTRIBUTIONS: dict[str, Draw] = {
    "normal": lambda random, size: random.normal(0, 1, size),
    "lognormal": lambda random, size: np.exp(random.normal(0, 1, size)),
    "exponential": lambda random, size: random.exponential(1, size),
    "t3": lambda random, size: random.standard_t(3, size),
}
numbers = st.lists(st.integers(-100, 100).map(float), min_size=4, max_size=6)


def _interval(first: list[float], second: list[float], strata: list[int] | None = None) -> tuple[float, float] | None:
    values = np.array([*first, *second])[:, None]
    labels = np.arange(len(values)) >= len(first)
    (found,) = shift_intervals(values, labels, int64(strata or [0] * len(values)))
    return found


def test_of_five_a_side_the_ends_are_the_third_difference_from_either_end() -> None:
    """Of 252 deals 8 have rank sums of 17 or less, or 38 or more: 3.2 %; one further in, 14: 5.6 %."""
    first, second = [0.0, 1, 2, 4, 8], [16.0, 32, 64, 128, 256]
    pairs = sorted(y - x for x in first for y in second)
    assert _interval(first, second) == pytest.approx((pairs[2], pairs[-3]), abs=1e-5)


def test_of_three_a_side_every_shift_may_be_true_and_of_four_not() -> None:
    assert _interval([1, 2, 3], [101, 102, 103]) is None
    assert _interval([1, 2, 3, 4], [101, 102, 103, 104]) == pytest.approx((97, 103), abs=1e-5)


@given(numbers, numbers, st.integers(-1000, 1000))
@settings(max_examples=30, deadline=None)
def test_moving_a_group_moves_the_interval(first: list[float], second: list[float], by: int) -> None:
    one, other = _interval(first, second), _interval(first, [value + by for value in second])
    assert one is not None
    assert other == pytest.approx((one[0] + by, one[1] + by), abs=1e-4)


@given(numbers, numbers)
@settings(max_examples=30, deadline=None)
def test_the_groups_exchanged_turn_it_round(first: list[float], second: list[float]) -> None:
    one, other = _interval(first, second), _interval(second, first)
    assert one is not None
    assert other == pytest.approx((-one[1], -one[0]), abs=1e-4)


@given(numbers, numbers)
@settings(max_examples=40, deadline=None)
def test_shifts_outside_are_rejected_by_the_test_and_those_inside_are_not(
    first: list[float], second: list[float]
) -> None:
    found = _interval(first, second)
    assert found is not None
    labels = np.arange(len(first) + len(second)) >= len(first)

    def p(by: float) -> float:
        values = np.array([*first, *[value - by for value in second]])[:, None]
        return differ(values, labels, int64([0] * len(values))).p[0]

    for by in (found[0] - 0.01, found[1] + 0.01):
        assert p(by) <= 0.05
    if found[1] - found[0] > 0.1:
        assert p((found[0] + found[1]) / 2) > 0.05


def test_samples_are_compared_with_themselves() -> None:
    heights = [10.0**i for i in range(8)]
    after = [height + 5 + i / 10 for i, height in enumerate(heights)]
    within = _interval(heights, after, list(range(8)) * 2)
    assert within is not None
    assert 5 <= within[0] < within[1] <= 5.8
    mixed = _interval(heights, after)
    assert mixed is not None
    assert mixed[1] - mixed[0] > 1000


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("count", [4, 5, 8, 10, 20])
def test_it_holds_the_true_shift_at_least_as_often_as_it_says(name: str, count: int) -> None:
    """400 tables of one column each, drawn together: below 93.9 % would be a matter of 1 in 1000 at 97 %."""
    random = np.random.default_rng(count)
    values = np.array([DISTRIBUTIONS[name](random, 400) for _ in range(2 * count)])
    second = np.arange(2 * count) >= count
    values[second] += 3
    found = shift_intervals(values, second, np.zeros(2 * count, dtype=np.int64))
    held = [interval is not None and interval[0] - 1e-6 <= 3 <= interval[1] + 1e-6 for interval in found]
    assert np.mean(held) >= 0.935


@pytest.mark.parametrize("strata", [[0] * 16, [0, 1] * 8])
def test_where_deals_are_too_many_the_normal_distribution_says_nearly_the_same(
    monkeypatch: pytest.MonkeyPatch, strata: list[int]
) -> None:
    values = np.random.default_rng(4).normal(size=(16, 40))
    second = np.arange(16) >= 8
    exact = shift_intervals(values, second, int64(strata))
    monkeypatch.setattr(shift, "MOST_EXACT", 0)
    normal = shift_intervals(values, second, int64(strata))
    widths = [[high - low for low, high in (one or (0, 0) for one in found)] for found in (exact, normal)]
    assert np.mean(widths[1]) == pytest.approx(np.mean(widths[0]), rel=0.06)


def test_of_very_many_each_kth_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(5).normal(size=(4000, 1))
    second = np.arange(4000) >= 2000
    values[second] += 1
    (whole,) = shift_intervals(values, second, np.zeros(4000, dtype=np.int64))
    monkeypatch.setattr(shift, "MOST_RANKED", 1000)
    (thinned,) = shift_intervals(values, second, np.zeros(4000, dtype=np.int64))
    assert whole is not None
    assert thinned is not None
    assert whole[0] < 1 < whole[1]
    assert thinned[0] < 1 < thinned[1]
    assert thinned[1] - thinned[0] == pytest.approx(2 * (whole[1] - whole[0]), rel=0.15)


def test_equal_values_shift_by_nothing() -> None:
    assert _interval([5.0] * 5, [5.0] * 5) == pytest.approx((0, 0), abs=1e-6)

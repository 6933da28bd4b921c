from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.statistics.bootstrap import mean_interval

times = st.lists(st.integers(0, 10**12), min_size=3, max_size=30)


@given(times)
def test_the_interval_lies_within_the_values_and_around_most_means(values: list[int]) -> None:
    interval = mean_interval(values)
    assert interval is not None
    low, high = interval
    slack = 1e-9 * max(values)
    assert min(values) - slack <= low <= high <= max(values) + slack


@given(times, st.integers(1, 1000))
def test_it_scales_with_its_unit(values: list[int], factor: int) -> None:
    assert mean_interval([value * factor for value in values]) == pytest.approx(
        np.multiply(mean_interval(values), factor)
    )


@given(st.integers(0, 10**15), st.integers(3, 20))
def test_equal_values_have_an_interval_of_no_width(value: int, count: int) -> None:
    assert mean_interval([value] * count) == (value, value)


def test_two_values_have_none() -> None:
    assert mean_interval([1, 2]) is None


def test_it_covers_the_true_mean_about_as_often_as_it_says() -> None:
    """200 samples of 20 from a skewed distribution whose mean is 1; BCa of such is known to cover a little less."""
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        interval = mean_interval(random.gamma(4, 0.25, 20).tolist())
        assert interval is not None
        covered += interval[0] <= 1 <= interval[1]
    assert 175 <= covered <= 198


def test_a_long_tail_pulls_the_interval_to_its_side() -> None:
    low, high = mean_interval([10] * 10 + [11, 12, 13, 40]) or (0, 0)
    mean = (10 * 10 + 11 + 12 + 13 + 40) / 14
    assert high - mean > 1.5 * (mean - low)

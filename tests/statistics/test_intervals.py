from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import product
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.statistics.intervals import Interval, median_interval

times = st.lists(st.integers(0, 10**12), min_size=5, max_size=40)
SAMPLES = 4000
DISTRIBUTIONS: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], float]] = {
    "normal": (lambda random, size: random.normal(100, 2, size), 100),
    "lognormal": (lambda random, size: np.exp(random.normal(0, 1, size)), 1),
    "exponential": (lambda random, size: random.exponential(1, size), float(np.log(2))),
    "t3": (lambda random, size: random.standard_t(3, size), 0),
}


def _interval(values: list[int] | list[float]) -> Interval:
    found = median_interval(values)
    assert found is not None
    return found


@given(times)
def test_the_interval_lies_within_the_values_and_around_their_median(values: list[int]) -> None:
    found = _interval(values)
    slack = 1e-9 * max(values)
    assert min(values) - slack <= found.low <= median(values) + slack
    assert median(values) - slack <= found.high <= max(values) + slack


@given(times, st.integers(1, 1000), st.integers(0, 10**9))
def test_it_moves_and_scales_with_the_values(values: list[int], factor: int, more: int) -> None:
    one, other = _interval(values), _interval([value * factor + more for value in values])
    assert (other.low, other.high) == pytest.approx((one.low * factor + more, one.high * factor + more))


@given(times)
def test_mirrored_values_have_the_mirrored_interval(values: list[int]) -> None:
    one, other = _interval(values), _interval([-value for value in values])
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low))


@given(times, st.randoms())
def test_the_order_of_the_values_says_nothing(values: list[int], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert median_interval(shuffled) == median_interval(values)


@given(st.integers(0, 10**15), st.integers(5, 30))
def test_equal_values_have_an_interval_of_no_width(value: int, count: int) -> None:
    found = _interval([value] * count)
    assert (found.low, found.high) == (pytest.approx(value), pytest.approx(value))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_fewer_than_five_values_have_none(count: int) -> None:
    assert median_interval(list(range(count))) is None


def test_of_five_values_the_first_and_the_last_are_given_with_the_level_that_is_theirs() -> None:
    assert median_interval([4, 9, 1, 7, 2]) == Interval(1, 9, 0.9375)
    # Of all ways in which five values fall on the sides of the median, all but two.
    sides = [{*way} for way in product((0, 1), repeat=5)]
    assert sum(len(way) == 2 for way in sides) / len(sides) == 0.9375


def test_a_rank_whose_level_is_the_one_asked_for_is_not_interpolated() -> None:
    # 1 - 2 * (1 + 10 + 45) / 2^10: the third value from either end of ten.
    level = 1 - 2 * 56 / 1024
    found = median_interval(list(range(10)), level=level)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((2, 7))


def test_between_two_ranks_both_ends_are_interpolated_by_nybloms_weight() -> None:
    """Of eight: the first from either end hold the median in 254 of 256 samples, the second in 238."""
    outer, inner = 254 / 256, 238 / 256
    part = (outer - 0.95) / (outer - inner)
    weight = 7 * part / (1 + 6 * part)
    found = _interval([10, 20, 40, 80, 160, 320, 640, 1280])
    assert (found.low, found.high) == pytest.approx((10 + 10 * weight, 1280 - 640 * weight))
    assert found.level == 0.95


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("count", [5, 6, 7, 10, 20, 40])
def test_it_covers_the_median_as_often_as_it_says_whatever_the_distribution(name: str, count: int) -> None:
    """Within 1.5 points of what is said, of which 1.1 may be chance: 3.1 standard deviations of 4,000 samples."""
    draw, true = DISTRIBUTIONS[name]
    random = np.random.default_rng(count)
    found = [_interval(draw(random, count).tolist()) for _ in range(SAMPLES)]
    covered = sum(one.low <= true <= one.high for one in found) / SAMPLES
    assert covered == pytest.approx(found[0].level, abs=0.015)
    assert found[0].level == pytest.approx(0.95, abs=0.015)


def test_of_a_hundred_thousand_values_little_memory_is_taken_and_the_interval_is_narrow() -> None:
    values = np.random.default_rng(1).normal(100, 1, 100_000).tolist()
    tracemalloc.start()
    found = _interval(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6  # their sorted copy and little else
    assert found.low < 100 < found.high
    # 1.96 standard errors of a normal's median, sqrt(pi / 2 / n), either way.
    assert found.high - found.low == pytest.approx(2 * 1.96 * (np.pi / 2 / 100_000) ** 0.5, rel=0.05)

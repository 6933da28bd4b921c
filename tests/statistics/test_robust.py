from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.arrays import int64
from tracer.statistics.robust import deviations, far_above, theil_sen

points = st.lists(st.integers(-1000, 1000), min_size=2, max_size=20)


def _group(values: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(len(values)), int64(values)


@given(st.lists(points, min_size=1, max_size=3))
def test_the_slope_is_the_median_over_all_pairs_within_a_group(groups: list[list[int]]) -> None:
    pairs = [
        (group[j] - group[i]) / (j - i) for group in groups for i in range(len(group)) for j in range(i + 1, len(group))
    ]
    slope = theil_sen([_group(group) for group in groups])
    assert slope is not None
    assert slope.value == pytest.approx(np.median(pairs))
    assert slope.low <= slope.value <= slope.high


def test_a_quarter_of_wild_values_does_not_move_a_line() -> None:
    values = [1000 + 7 * i for i in range(40)]
    values[::4] = [10**6] * 10
    slope = theil_sen([_group(values)])
    assert slope is not None
    assert slope.value == pytest.approx(7)


def test_noise_has_no_certain_slope_and_a_line_has() -> None:
    random = np.random.default_rng(1)
    noise = random.integers(0, 1000, 60)
    flat = theil_sen([_group(noise.tolist())])
    steep = theil_sen([_group((noise + 100 * np.arange(60)).tolist())])
    assert flat is not None
    assert steep is not None
    assert (flat.certain, steep.certain) == (False, True)


def test_the_interval_holds_the_true_slope_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        slope = theil_sen([(np.arange(20), int64(3000 * np.arange(20) + random.normal(0, 20_000, 20)))])
        assert slope is not None
        held += slope.low <= 3000 <= slope.high
    assert 0.92 < held / 400 < 0.99


def test_one_point_has_no_slope() -> None:
    assert theil_sen([_group([5]), _group([])]) is None
    assert theil_sen([]) is None


def test_deviations_are_in_standard_deviations() -> None:
    normal = np.random.default_rng(3).normal(500, 10, 5000)
    assert np.std(deviations(normal)) == pytest.approx(1, rel=0.05)
    assert deviations(int64([4, 4, 4, 9, 3])).tolist() == [0, 0, 0, np.inf, -np.inf]


def test_far_above_asks_for_both_distances() -> None:
    values = int64([100, 101, 99, 100, 102, 98, 107, 300, 100])
    assert far_above(values, deviations_apart=3, at_least=0.1).tolist() == [7]
    assert far_above(values, deviations_apart=3, at_least=0.05).tolist() == [6, 7]
    assert far_above(int64([]), deviations_apart=3, at_least=0.1).tolist() == []


@pytest.mark.parametrize(("correlation", "least"), [(0.0, 0.92), (0.5, 0.88), (0.8, 0.84)])
def test_errors_that_go_on_from_point_to_point_widen_the_interval(correlation: float, least: float) -> None:
    random, held = np.random.default_rng(4), 0
    for _ in range(200):
        errors = [random.normal()]
        for _ in range(59):
            errors.append(correlation * errors[-1] + (1 - correlation**2) ** 0.5 * random.normal())
        slope = theil_sen([(np.arange(60), int64(1000 * np.arange(60) + 20_000 * np.array(errors)))])
        assert slope is not None
        held += slope.low <= 1000 <= slope.high
    assert held / 200 >= least


def test_the_interval_of_a_slope_is_between_the_ranks_of_sens_formula() -> None:
    """20 points have 190 slopes, and 1.96 times the root of 950 is 60.4; errors that alternate widen nothing."""
    values = [1000 * i + (-1) ** i * (100 + 7 * i * i) for i in range(20)]
    slopes = sorted((values[j] - values[i]) / (j - i) for j in range(20) for i in range(j))
    slope = theil_sen([_group(values)])
    assert slope is not None
    assert (slope.low, slope.high) == (slopes[65], slopes[125])

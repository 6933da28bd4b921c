from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.statistics.blinded import BLOCK, FEWEST, arrangement, half_width, scatter

values = st.floats(-5, 5, allow_nan=False)
blocks = st.lists(st.lists(values, min_size=BLOCK, max_size=BLOCK), min_size=FEWEST, max_size=8)


@given(blocks, st.randoms(use_true_random=False))
def test_whose_a_value_is_changes_nothing(given: list[list[float]], random: object) -> None:
    dealt_otherwise = [sorted(block, key=lambda _: random.random()) for block in given]  # type: ignore[attr-defined]
    assert half_width(dealt_otherwise) == half_width(given)


@given(blocks, st.floats(-3, 3), st.floats(0.1, 10))
def test_it_moves_with_no_shift_and_in_proportion_to_the_scale(
    given: list[list[float]], shift: float, factor: float
) -> None:
    moved = [[shift + value for value in block] for block in given]
    assert scatter(moved) == pytest.approx(scatter(given), abs=1e-6)
    assert scatter([[factor * value for value in block] for block in given]) == pytest.approx(factor * scatter(given))


@pytest.mark.parametrize("apart", [0.0, 10.0])
def test_the_scatter_of_many_normal_values_is_their_standard_deviation_however_far_the_runs_lie_apart(
    apart: float,
) -> None:
    drawn = np.random.default_rng(5).normal(0, 0.03, size=(4000, BLOCK)) + np.array([0, apart, 0, apart])
    assert scatter(drawn.tolist()) == pytest.approx(0.03, rel=0.05)


def test_too_few_blocks_promise_nothing_and_equal_values_are_known_at_once() -> None:
    assert half_width([[1.0, 2.0, 3.0, 4.0]] * (FEWEST - 1)) is None
    assert half_width([[1.0] * BLOCK] * FEWEST) == 0


def test_one_wild_value_spoils_one_block_and_no_more() -> None:
    calm = [[0.0, 0.01, 0.02, 0.03 + i / 1000] for i in range(7)]
    wild = [[0.0, 0.01, 0.02, 9.0], *calm[1:]]
    assert half_width(wild) == pytest.approx(half_width(calm), rel=0.2)


def test_all_six_orders_are_drawn_alike_often() -> None:
    random = np.random.default_rng(0)
    drawn = [arrangement(random) for _ in range(1200)]
    assert len(set(drawn)) == 6
    assert all(sorted(order) == ["A", "A", "B", "B"] for order in drawn)
    assert min(drawn.count(order) for order in set(drawn)) > 150

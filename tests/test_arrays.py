"""Numbers are sorted out alike, whether by a table, by their order, or as Python's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.arrays import PLACES, coded, int64
from tracer.charge import intervals

NEAR = st.lists(st.integers(-9, 9), max_size=40)
FAR = st.lists(st.integers(-(1 << 62), 1 << 62), max_size=9)
BETWEEN = st.integers(1, 9).flatmap(lambda size: st.lists(st.integers(0, 2 * PLACES * size), max_size=size))


@given(NEAR | FAR | BETWEEN)
def test_numbers_near_and_far_are_coded_by_their_order(numbers: list[int]) -> None:
    values, code = coded(int64(numbers))
    assert values.tolist() == sorted(set(numbers)) == intervals.distinct(int64(numbers))
    assert values[code].tolist() == numbers
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(intervals, "FEW", 0)  # as of many
        assert intervals.distinct(int64(numbers)) == sorted(set(numbers))

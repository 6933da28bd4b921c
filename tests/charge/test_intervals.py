from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reference import innermost

from tracer.arrays import int64, rows_of_each
from tracer.charge.intervals import SHALLOW, Cover, Nest, sum_by

spans = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 15)).map(lambda span: (span[0], span[0] + span[1])),
    max_size=12,
)


def _columns(intervals: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return int64([start for start, _ in intervals]), int64([end for _, end in intervals])


@pytest.mark.parametrize("shallow", [0, 1, SHALLOW])  # without, with a few, with all of them looked at one by one
@given(spans)
def test_innermost_agrees_with_looking_at_every_interval(shallow: int, intervals: list[tuple[int, int]]) -> None:
    times = int64(range(-1, 50))
    with mock.patch("tracer.charge.intervals.SHALLOW", shallow):
        found = Nest.of(*_columns(intervals)).innermost(times).tolist()
    for time, index in zip(times.tolist(), found, strict=True):
        expected = innermost(intervals, time)
        held = [intervals[i] for i in (index, expected) if i >= 0]
        assert (index >= 0) == (expected >= 0)
        assert len(set(held)) <= 1  # equal intervals may stand for each other


def test_the_innermost_of_a_hundred_thousand_around_each_other() -> None:
    """Half of the times lie behind the inner half, so that what holds them lies deep."""
    deep = 100_000
    places = np.arange(deep)
    nest = Nest.of(int64(places), int64(3 * deep - places))
    assert nest.innermost(int64(places)).tolist() == places.tolist()
    assert nest.innermost(int64(3 * deep - 1 - places)).tolist() == places.tolist()


@given(spans, st.integers(-1, 50), st.integers(-1, 50))
def test_cover_measures_the_union(intervals: list[tuple[int, int]], low: int, high: int) -> None:
    cover = Cover.of(*_columns(intervals))
    covered = {now for start, end in intervals for now in range(start, end)}
    assert cover.length_ns == len(covered)
    assert cover.before(int64([low])).tolist() == [len([now for now in covered if now < low])]
    inside = len([now for now in covered if low <= now < high])
    assert cover.within(int64([low]), int64([high])).tolist() == [inside]


def test_sums_are_integers_beyond_what_a_double_holds() -> None:
    big = (1 << 53) + 1
    assert sum_by(int64([0, 0, 1]), int64([big, 2, 5]), 3).tolist() == [big + 2, 5, 0]


@given(st.lists(st.integers(-3, 3)))
def test_the_rows_of_each_value_are_those_that_have_it(values: list[int]) -> None:
    column = int64(values)
    found = [(value, rows.tolist()) for value, rows in rows_of_each(column)]
    assert found == [(value, np.flatnonzero(column == value).tolist()) for value in sorted(set(values))]

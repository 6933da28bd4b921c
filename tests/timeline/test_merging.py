"""What cannot be drawn one by one is drawn together, and nothing is lost or made up."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracer.arrays import int64
from tracer.timeline.merging import merged

SPANS = st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**5), st.integers(-1, 0)), min_size=1)


def _columns(spans: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    spans = sorted(spans)
    start = int64([start for start, _, _ in spans])
    return start, start + int64([length for _, length, _ in spans]), int64([kind for _, _, kind in spans])


@given(SPANS)
def test_few_things_are_drawn_as_they_are(spans: list[tuple[int, int, int]]) -> None:
    start, end, kind = _columns(spans)
    found = merged(start, end, len(spans), [kind])
    assert found.rows.tolist() == found.group.tolist() == list(range(len(spans)))
    assert found.count.tolist() == [1] * len(spans)


@given(SPANS, st.integers(2, 20))
def test_of_many_each_belongs_to_one_that_holds_it(spans: list[tuple[int, int, int]], most: int) -> None:
    start, end, kind = _columns(spans)
    found = merged(start, end, most, [kind])
    assert len(found.rows) <= max(most, 2)
    assert int(found.count.sum()) == len(spans)
    assert found.sum(end - start).sum() == (end - start).sum()
    assert (found.start_ns[found.group] <= start).all()
    assert (found.end_ns[found.group] >= end).all()
    assert (kind[found.rows][found.group] == kind).all(), "what differs is drawn apart"
    assert (found.group[found.rows] == np.arange(len(found.rows))).all()
    assert (np.diff(found.start_ns) >= 0).all()
    lengths = end - start
    assert (lengths[found.rows][found.group] >= lengths).all(), "the longest gives its name"


def test_long_things_stay_by_themselves_and_short_neighbours_do_not() -> None:
    start = int64([0, *range(1_000, 1_100), 50_000])
    end = start + int64([900, *[1] * 100, 40_000])
    found = merged(start, end, 3)
    assert found.count.tolist()[-1] == 1
    assert max(found.count.tolist()) > 50

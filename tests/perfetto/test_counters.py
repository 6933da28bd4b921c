from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.chrome import call, kernel, launch, trace_of

from tracer.arrays import int64
from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of
from tracer.perfetto.counters import MOST_BINS, bins, busy_share, highest, in_flight


@given(st.integers(-(10**18), 10**18), st.integers(0, 10**17))
def test_bins_are_equal_cover_the_window_and_are_not_many(start: int, length: int) -> None:
    edges = bins(start, start + length)
    assert len(edges) <= MOST_BINS + 1
    assert edges[0] == start
    assert edges[-1] >= start + length
    assert len(set(np.diff(edges).tolist())) <= 1


def test_busy_share_counts_what_overlaps_once() -> None:
    trace = trace_of(kernel("a", 0, 10), kernel("b", 5, 5, stream=8), kernel("c", 15, 5))
    work = work_of(trace, find_stages(trace))
    assert busy_share(work, int64([0, 1, 2]), int64([0, 10_000, 20_000])) == [100.0, 50.0]


def test_a_launch_is_in_flight_from_its_call_to_the_end_of_its_last_kernel() -> None:
    trace = trace_of(
        launch(0, 1, 1), kernel("a", 5, 10, 1),
        call("cudaGraphLaunch", 6, 1, 2), kernel("b", 15, 5, 2), kernel("c", 20, 5, 2), kernel("no launch", 30, 1),
    )  # fmt: skip
    work = work_of(trace, find_stages(trace))
    edges = int64([-1_000, 0, 6_000, 15_000, 24_000, 25_000, 26_000])
    assert in_flight(work, int64(range(4)), edges) == [0, 1, 2, 1, 1, 0]


def test_what_began_before_it_was_asked_for_was_never_in_flight() -> None:
    trace = trace_of(launch(20, 1, 1), kernel("a", 5, 10, 1))
    work = work_of(trace, find_stages(trace))
    assert in_flight(work, int64([0]), int64([0, 10_000, 20_000, 30_000])) == [0, 0, 0]


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 99)), min_size=1, max_size=40))
def test_a_counter_of_the_highest_keeps_the_highest_of_all_in_order(changes: list[tuple[int, int]]) -> None:
    changes.sort(key=lambda change: change[0])
    times, values = int64([time for time, _ in changes]), int64([value for _, value in changes])
    at, kept = highest(times, values)
    assert max(kept) == values.max()
    assert set(zip(at.tolist(), kept, strict=True)) <= set(changes)
    assert (np.diff(at) >= 0).all()


def test_of_changes_close_together_the_highest_stays() -> None:
    at, kept = highest(int64([0, 1, 2, 10**9]), int64([5, 9, 3, 4]))
    assert (at.tolist(), kept) == ([1, 10**9], [9, 4])


def test_nothing_recorded_is_no_counter() -> None:
    assert highest(int64([]), int64([]))[1] == []

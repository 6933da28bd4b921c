from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tracer.arrays import int64
from tracer.perfetto.events import Thread, counter, microsecond, slices
from tracer.perfetto.events import _rounded as rounded

SINCE_1970_NS = 1_712_195_495_505_587_916
THREAD = Thread("stages", 1)


def _drawn(edges: list[int]) -> list[tuple[str, str]]:
    count = len(edges) - 1
    starts, ends = int64(edges[:-1]), int64(edges[1:])
    events = slices(THREAD, ['"a"'] * count, starts, ends, ["{}"] * count)
    parsed = [json.loads('{"ph":' + event + "}", parse_float=str) for event in events]
    return [(event["ts"], event["dur"]) for event in parsed]


@given(st.lists(st.integers(0, 3000), min_size=2, max_size=8))
def test_slices_that_touch_never_overlap_where_a_double_rounds_their_times(lengths: list[int]) -> None:
    edges = [SINCE_1970_NS + sum(lengths[:count]) for count in range(len(lengths) + 1)]
    drawn = _drawn(edges)
    starts = rounded([start for start, _ in drawn]).tolist()
    ends = [start + round(1000 * float(length)) for start, (_, length) in zip(starts, drawn, strict=True)]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    for (start, length), low, high in zip(drawn, edges[:-1], edges[1:], strict=True):
        assert start == microsecond(low)
        assert 0 <= round(1000 * float(length)) <= high - low


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=50).map(sorted))
def test_later_stays_later_when_it_is_rounded(offsets: list[int]) -> None:
    found = rounded([microsecond(SINCE_1970_NS + offset) for offset in offsets]).tolist()
    assert all(one <= other for one, other in pairwise(found))


def test_times_that_a_double_holds_are_drawn_exactly() -> None:
    assert _drawn([4550342860317427, 4550342860317428]) == [("4550342860317.427", "0.001")]


@given(st.integers(-(10**18), 10**18))
def test_microseconds_are_exact(time_ns: int) -> None:
    whole, _, decimals = microsecond(time_ns).partition(".")
    assert len(decimals) == 3
    assert int(whole + decimals) == time_ns


def test_a_counter_is_written_where_it_changes() -> None:
    events = [json.loads('{"ph":' + event + "}") for event in counter("n", "k", int64([0, 1000, 2000]), [1, 1, 2])]
    assert [(event["ts"], event["args"]) for event in events] == [(0.0, {"k": 1}), (2.0, {"k": 2})]

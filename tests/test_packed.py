from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.arrays import int64
from tracer.packed import joined, pack
from tracer.trace.columns import MISSING

NUMBERS = st.one_of(st.integers(0, 300), st.integers(-(1 << 63), (1 << 63) - 1), st.just(MISSING))


@settings(max_examples=100)
@given(st.lists(st.lists(NUMBERS, max_size=6), max_size=4))
def test_columns_come_out_as_they_were_put_in(parts: list[list[int]]) -> None:
    packed = [pack(int64(part)) for part in parts]
    assert [one.unpacked().tolist() for one in packed] == parts
    assert joined(packed, np.int64).whole().tolist() == [number for part in parts for number in part]


def test_what_lies_close_together_takes_few_bytes_and_some_of_it_stays_so() -> None:
    packed = pack(int64([1 << 60, (1 << 60) + 255, (1 << 60) + 7]))
    assert packed.beyond.itemsize == 1
    assert packed.chosen(packed.beyond > 0).unpacked().tolist() == [(1 << 60) + 255, (1 << 60) + 7]
    assert pack(int64([0, 256])).beyond.itemsize == 2
    assert pack(int64([MISSING, 5])).beyond.itemsize == 1
    assert pack(int64([MISSING + 1, 5])).beyond.itemsize == 8

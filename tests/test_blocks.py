from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.arrays import I64, int32, int64
from tracer.blocks import STEP, Alike, Outlying, Packed, Stepping, block
from tracer.trace.columns import MISSING

ROWS = np.arange(3 * STEP + 7)
FAR = 1 << 40
LEAST, MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@pytest.mark.parametrize(
    ("column", "way", "most_bytes"),
    [
        (ROWS % 200, Packed, 1),
        (ROWS % 60_000, Packed, 2),
        (np.where(ROWS % 2, MISSING, ROWS), Packed, 2),
        (ROWS // 100, Alike, 1),
        (np.where(ROWS // 300 % 2, MISSING, FAR * (ROWS // 300)), Alike, 1),
        (np.where(ROWS % 100, ROWS % 200, 1 << 31), Outlying, 1),
        (np.where(ROWS % 100, np.where(ROWS % 3, ROWS % 200, MISSING), 1 << 31), Outlying, 1),
        (np.where(ROWS % 50, ROWS * 60, 1 << 31), Outlying, 2),
        (ROWS * (1 << 24), Stepping, 4),
        (FAR * (ROWS // STEP) - ROWS, Stepping, 4),
        (ROWS * (1 << 25), Packed, 8),  # a step of these is just too long
        (np.where(ROWS % 2, LEAST + 1, MOST), Packed, 8),  # as far apart as no difference of 64 bits tells
        (np.where(ROWS % 2, MISSING, ROWS * (1 << 25)), Packed, 8),
    ],
)
def test_a_piece_is_packed_in_the_way_that_fits_it_and_comes_out_as_it_was(
    column: I64, way: type, most_bytes: int
) -> None:
    made = block(column)
    assert type(made) is way
    assert made.rows == len(column)
    for begin, end in ((0, len(column)), (STEP - 1, 2 * STEP + 1), (5, 5)):
        found = np.empty(end - begin, dtype=np.int64)
        made.among(begin, end, found)
        assert found.tolist() == column[begin:end].tolist()
    near = made.near if isinstance(made, Outlying) else made
    if isinstance(near, Packed | Stepping):
        assert near.beyond.itemsize == most_bytes


def test_a_piece_of_32_bits_comes_out_so() -> None:
    for column in (int32(ROWS // 100), int32(np.where(ROWS % 100, ROWS % 200, 1 << 30)), int32(ROWS * (1 << 20))):
        found = np.empty(len(column), dtype=np.int32)
        block(column).into(found)
        assert found.tolist() == column.tolist()


NUMBERS = st.one_of(st.integers(0, 300), st.integers(LEAST, MOST), st.sampled_from([MISSING, MOST, LEAST + 1]))


@given(st.lists(st.tuples(NUMBERS, st.integers(1, 90), st.integers(-5, 5)), min_size=1, max_size=12))
def test_any_piece_comes_out_as_it_was(runs: list[tuple[int, int, int]]) -> None:
    column = int64([min(MOST, max(LEAST, low + by * row)) for low, times, by in runs for row in range(times)])
    found = np.empty(len(column), dtype=np.int64)
    block(column).into(found)
    assert found.tolist() == column.tolist()

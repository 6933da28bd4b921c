"""Columns come out of their bytes as they went in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.packed import unpacked

from tracer.arrays import int64
from tracer.document.timeline import DELTAS
from tracer.timeline.packing import packed

LARGEST = (1 << 62) - 1


@given(st.lists(st.integers(0, LARGEST)))
def test_whole_numbers_come_out_as_they_went_in(values: list[int]) -> None:
    assert unpacked("length", packed("length", int64(values))) == values


@given(st.lists(st.integers(-LARGEST // 2, LARGEST // 2)))
def test_differences_may_have_either_sign(values: list[int]) -> None:
    for name in DELTAS:
        assert unpacked(name, packed(name, int64(values))) == values


def test_small_numbers_take_a_byte() -> None:
    assert packed("length", int64([0, 1, 127])) == b"\x00\x01\x7f"
    assert packed("length", int64([128, 300])) == b"\x80\x01\xac\x02"
    assert packed("start", int64([1, 2, 1])) == b"\x02\x02\x01"


def test_columns_of_indices_are_taken_as_well() -> None:
    assert packed("name", np.asarray([5, 6], dtype=np.int32)) == b"\x05\x06"

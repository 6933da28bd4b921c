from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from reports.render.names import shortened

CUTLASS = [
    f"cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_{tile}_ldg8_stages_64x3_{layout}_align8"
    for tile in ("128x256_64", "256x128_64", "64x64_32") for layout in ("tn", "nn")
]  # fmt: skip


def test_a_name_loses_its_middle() -> None:
    assert shortened(["at::native::vectorized_elementwise_kernel<4>"], 20) == ["at::native::…rnel<4>"]


def test_names_that_fit_stay() -> None:
    assert shortened(["gemm", "gemv"], 4) == ["gemm", "gemv"]


def test_the_cut_moves_to_where_names_do_not_differ() -> None:
    names = [
        "a_long_common_beginning_then_one_and_a_long_common_end",
        "a_long_common_beginning_then_two_and_a_long_common_end",
    ]
    cut = shortened(names, 20)
    assert len(set(cut)) == 2
    assert ["one" in cut[0], "two" in cut[1]] == [True, True]


def test_kernels_that_differ_in_two_places_stay_apart() -> None:
    cut = shortened(CUTLASS, 30)
    assert len(set(cut)) == len(CUTLASS)
    assert max(map(len, cut)) <= 30


def test_a_long_name_is_never_taken_for_a_short_one() -> None:
    assert shortened(["abc…xyz", "abcdefghijuvwxyz"], 7)[1] != "abc…xyz"


def test_the_same_name_twice_is_shown_the_same_twice() -> None:
    first, second, other = shortened(["k" * 40, "k" * 40, "k" * 41], 9)
    assert first == second != other


@given(
    st.lists(st.text(st.characters(exclude_categories=["C", "Z", "M"]), max_size=30), max_size=12), st.integers(6, 40)
)
def test_what_differs_stays_different_and_nothing_is_too_wide(names: list[str], cells: int) -> None:
    cut = shortened(names, cells)
    assert all(cell_len(text) <= cells for text in cut)
    assert len(set(cut)) == len(set(names))
    assert all(text == name for text, name in zip(cut, names, strict=True) if cell_len(name) <= cells)


@given(st.lists(st.text("ab", min_size=8, max_size=14), min_size=2, max_size=40))
def test_names_that_differ_in_a_letter_only_stay_different(names: list[str]) -> None:
    assert len(set(shortened(names, 6))) == len(set(names))


@pytest.mark.parametrize("cells", [0, 1, 3])
def test_without_room_names_are_cut_all_the_same(cells: int) -> None:
    assert all(len(text) <= cells for text in shortened(["abcdefgh", "abcdefgi"], cells))

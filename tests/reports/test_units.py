from __future__ import annotations

import pytest

from reports.units import (
    bar,
    byte_count,
    counted,
    duration,
    printable,
    share,
    short_kernel,
    short_kernels,
    significant,
    sparkline,
)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (9_724, "9.72 µs"),
        (12_345, "12.3 µs"),
        (999_400, "999 µs"),
        (999_600, "1.00 ms"),
        (4_567_000, "4.57 ms"),
        (78_900_000_000, "78.9 s"),
        (1_234_000_000_000, "1,234 s"),
        (-1_500, "-1.50 µs"),
    ],
)
def test_durations_have_three_digits_and_a_unit(ns: int, text: str) -> None:
    assert duration(ns) == text


def test_other_numbers() -> None:
    assert significant(9.999) == "10.0"
    assert significant(99.99) == "100"
    assert share(1, 3) == "33.3%"
    assert share(1, 0) == "–"


def test_bytes_have_three_digits_and_a_decimal_unit() -> None:
    assert [byte_count(count) for count in (0, 999, 4_096, 999_600, 13.5e9)] == [
        "0 B",
        "999 B",
        "4.10 KB",
        "1.00 MB",
        "13.5 GB",
    ]


def test_bars_fill_by_eighths_and_never_overflow() -> None:
    assert bar(1, 2, 4) == "██  "
    assert bar(1, 16, 2) == "▏ "
    assert bar(3, 2, 4) == "████"
    assert bar(1, 0, 3) == "   "


def test_sparklines_show_the_peak_of_each_cell() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([0, 0, 0, 9, 0, 0], 3) == "▁█▁"
    assert sparkline([5, 5], 8) == "▁▁"
    assert sparkline([], 8) == ""
    assert sparkline([1, 2], 0) == ""


def test_control_characters_are_spelled_out() -> None:
    assert printable("a\x1b[31m\nb\u202eµ") == "a\\x1b[31m\\nb\\u202eµ"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("void gemm<float, (Kind)3>(float*, int)", "gemm<float, (Kind)3>"),
        ("void at::native::(anonymous namespace)::cat<4>(int)", "at::native::cat<4>"),
        ("Memcpy HtoD (Pinned -> Device)", "Memcpy HtoD (Pinned -> Device)"),
        ("triton_red_fused_add_0", "triton_red_fused_add_0"),
        ("(weird)", "(weird)"),
    ],
)
def test_kernel_names_lose_what_says_nothing(name: str, short: str) -> None:
    assert short_kernel(name) == short


def test_kernels_keep_what_tells_them_apart() -> None:
    names = ["void gemm<float>(float*)", "void gemm<float>(double*)", "void cat<4>(int)"]
    assert list(short_kernels(names).values()) == [*names[:2], "cat<4>"]


def test_one_is_singular() -> None:
    assert [counted(n, "kernel") for n in (0, 1, 1024)] == ["0 kernels", "1 kernel", "1,024 kernels"]
    assert [counted(n, "launch", "launches") for n in (1, 2)] == ["1 launch", "2 launches"]

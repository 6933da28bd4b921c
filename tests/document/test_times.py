from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.document.times import microseconds_to_ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("4550342860317.427", 4550342860317427),  # a double is off by up to half a microsecond here
        ("9007199254740993.001", 9007199254740993001),
        ("1695835542514261", 1695835542514261000),
        ("1712195495519689.0", 1712195495519689000),
        ("0.0005", 1),
        ("0.0004", 0),
        ("1e3", 1_000_000),
        ("1.5E-3", 2),
        ("12.", 12_000),
        (" 7 ", 7_000),
        ("-0.25", -250),
        ("0e-9999", 0),
    ],
)
def test_reads_decimal_microseconds_exactly(text: str, ns: int) -> None:
    assert microseconds_to_ns(text) == ns


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "-inf", "1,5", "0x10", "1e999", "9" * 30, "1e", "--1", ".5", "١", "1_000"]
)
def test_refuses_what_is_no_finite_number_in_range(text: str) -> None:
    with pytest.raises(ValueError, match="microseconds"):
        microseconds_to_ns(text)


@given(st.decimals(min_value=0, max_value=10**15, places=6))
def test_agrees_with_decimal_arithmetic(value: Decimal) -> None:
    expected = (value * 1000).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    assert microseconds_to_ns(str(value)) == int(expected)


@given(st.integers(0, 1 << 60))
def test_every_nanosecond_survives_kinetos_formatting(ns: int) -> None:
    assert microseconds_to_ns(f"{ns // 1000}.{ns % 1000:03}") == ns

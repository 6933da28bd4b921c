"""Figures that several parts of a comparison write alike."""

from __future__ import annotations

from reports.palette import NONE
from reports.units import duration


def signed(time_ns: float) -> str:
    """A difference of times with its sign."""
    return f"{'+' if time_ns >= 0 else '-'}{duration(abs(time_ns))}"


def count(value: float | None) -> str:
    """A median of counts, which may lie between two of them."""
    return NONE if value is None else f"{value:,.1f}".removesuffix(".0")

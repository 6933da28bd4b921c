"""Intervals of medians, by order statistics."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEVEL = 0.95
# The first and the last of five values hold the median in 15 of 16 samples, which is near enough to the level; those of
# four in 7 of 8, which is not.
LEAST = 5
# Twice as many standard deviations of a binomial count.
FARTHEST = 5


@dataclass(frozen=True, slots=True)
class Interval:
    """What holds the true median with probability `level`, in the unit of the values."""

    low: float
    high: float
    level: float


def median_interval(values: Sequence[int] | Sequence[float], *, level: float = LEVEL) -> Interval | None:
    """An interval of the median of what the values were drawn from; None of fewer than five.

    The r-th value from either end holds the median between them unless fewer than r values lie on one side of it, which
    is a matter of coins and not of the distribution: no skew and no tail moves it. Between two such r, whose levels
    enclose the one asked for, both ends are interpolated (T. P. Hettmansperger and S. J. Sheather, "Confidence
    intervals based on interpolated order statistics", Statistics & Probability Letters 4 (1986), 75-79; J. Nyblom,
    "Note on interpolated order statistics", Statistics & Probability Letters 14 (1992), 129-131). An interval of the
    mean cannot be had so: that of a skewed distribution lies in a tail which a handful of values does not show.

    Five values have no such pair; their first and last are given, with the level that is theirs.
    `benchmarks/interval_coverage.py` measures what is covered.
    """
    size = len(values)
    if size < LEAST:
        return None
    ordered = sorted(values)
    rank, outer, inner = 0, 1.0, 1.0  # a pair that holds the median often enough, and the next one inwards
    for within, covered in _levels(size):
        if covered < level:
            inner = covered
            break
        rank, outer = within, covered
    if rank == 0:
        return Interval(float(ordered[0]), float(ordered[-1]), inner)
    part = (outer - level) / (outer - inner)
    weight = (size - rank) * part / (rank + (size - 2 * rank) * part)
    return Interval(
        low=(1 - weight) * ordered[rank - 1] + weight * ordered[rank],
        high=(1 - weight) * ordered[size - rank] + weight * ordered[size - rank - 1],
        level=level,
    )


def _levels(size: int) -> Iterator[tuple[int, float]]:
    """Ranks from either end, counted from 1, and how often the values of that rank enclose the median.

    Of very many values the outer ones, which enclose it for all that a double can tell, are passed over.
    """
    first = max(0, int(size / 2 - FARTHEST * size**0.5))
    outside, whole = 0.0, lgamma(size + 1) - size * log(2)
    for below in range(first, (size + 1) // 2):
        outside += exp(whole - lgamma(below + 1) - lgamma(size - below + 1))
        yield below + 1, 1 - 2 * outside

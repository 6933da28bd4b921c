"""Statistics that a few wild values do not move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.arrays import int64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.arrays import F64, I64, Bools


# Of a standard normal distribution: its 97.5th percentile, and what makes the MAD its standard deviation.
Z_95 = 1.959964
MAD_TO_SIGMA = 1.4826
# Pairs grow with the square; so many points say as much.
MOST_POINTS = 800
FEWEST_FOR_CORRELATION = 6
MOST_CORRELATED = 0.95


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope with its 95 % interval, y per x."""

    value: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def median(values: F64 | I64) -> Any:
    """The median along the first axis, of one axis a plain number. (np.median would import numpy.ma.)"""
    ordered = np.sort(values, axis=0)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return middle if middle.ndim else float(middle)


def theil_sen(groups: Sequence[tuple[I64, I64]]) -> Slope | None:
    """The median of the slopes between all pairs of points of the same group, x in rising order; None without pairs.

    The interval follows from the variance of Kendall's statistic, added up over the groups (Sen 1968; Hirsch, Slack
    and Smith 1982), and widened where neighbours err alike: as if there were fewer points (see `_inflation`). Points of
    different groups are not compared, so that groups may lie at different heights.
    """
    slopes, variance = [], 0.0
    for x, y in groups:
        chosen = np.linspace(0, max(0, len(x) - 1), min(len(x), MOST_POINTS)).astype(np.int64)
        first, second = np.triu_indices(len(chosen), k=1)
        run = x[chosen][second] - x[chosen][first]
        rise = y[chosen][second] - y[chosen][first]
        slopes.append(rise[run > 0] / run[run > 0])
        count = len(chosen)
        variance += count * (count - 1) * (2 * count + 5) / 18
    pooled = np.sort(np.concatenate(slopes)) if slopes else np.empty(0)
    if not len(pooled):
        return None
    variance *= _inflation(groups, float(median(pooled)))
    half = Z_95 * variance**0.5
    low = max(0, round((len(pooled) - half) / 2))
    high = min(len(pooled) - 1, round((len(pooled) + half) / 2))
    return Slope(float(median(pooled)), float(pooled[low]), float(pooled[high]))


def _inflation(groups: Sequence[tuple[I64, I64]], slope: float) -> float:
    """By how much errors that go on from point to point enlarge the variance: (1 + r) / (1 - r), never below 1.

    r is the correlation of neighbouring residuals (Bayley and Hammersley 1946, of a first-order process), its bias of
    about -(1 + 3 r) / n in short series taken off (Kendall 1954).
    """
    together = alone = 0.0
    points = 0
    for x, y in groups:
        apart = y - slope * x
        apart = apart - apart.mean() if len(apart) else apart
        together += float((apart[1:] * apart[:-1]).sum())
        alone += float((apart * apart).sum())
        points = max(points, len(apart))
    if alone <= 0 or points < FEWEST_FOR_CORRELATION:
        return 1.0
    neighbours = min(MOST_CORRELATED, (points * together / alone + 1) / (points - 3))
    return max(1.0, (1 + neighbours) / (1 - neighbours))


def deviations(values: I64) -> F64:
    """Each value's distance from the median in robust standard deviations; infinite where most values are equal."""
    apart = values - median(values)
    spread = MAD_TO_SIGMA * median(np.abs(apart))
    distances: F64 = apart / spread if spread else np.where(apart == 0, 0, np.copysign(np.inf, apart))
    return distances


def far_above(values: I64, *, deviations_apart: float, at_least: float) -> I64:
    """Indices of values that many robust standard deviations and that share of the median above the median."""
    if not len(values):
        return int64([])
    above: Bools = (deviations(values) > deviations_apart) & (values > (1 + at_least) * median(values))
    return int64(np.flatnonzero(above))

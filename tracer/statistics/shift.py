"""Intervals of the shift between two groups: every shift that the permutation test would not reject."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.statistics.permutation import MOST_EXACT, ROUNDING, align, deals, rank
from tracer.statistics.robust import median

if TYPE_CHECKING:
    from tracer.arrays import F64, I64, Bools

LEVEL = 0.95
# Of more than that, each k-th says as much.
MOST_RANKED = 10_000
# Of a normal distribution: its 97.5th percentile.
Z_975 = 1.959964
HALVINGS = 26


def shift_intervals(values: F64, second: Bools, strata: I64) -> list[tuple[float, float] | None]:
    """By how much the second group lies above the first, at 95 % for each measure by itself; None where it may be any.

    The shifts that a rank-sum test of aligned values at 5 % does not reject once the second group is moved back by them
    (J. L. Hodges and E. L. Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics 34
    (1963), 598-611; D. F. Bauer, "Constructing confidence sets using rank statistics", Journal of the American
    Statistical Association 67 (1972), 687-690). With so few requests that no shift is rejected, there is no interval.
    It holds the true shift at least as often as it says, whatever the distribution, as long as that is the same in both
    groups but for the shift.

    Args:
        values: [N, M], one row a request, one column a measure.
        second: [N], whether a request is of the second group.
        strata: [N], numbered from 0 on; requests are dealt within them.
    """
    if len(values) > MOST_RANKED:
        kept = np.arange(0, len(values), -(-len(values) // MOST_RANKED))
        values, second, strata = values[kept], second[kept], np.unique(strata[kept], return_inverse=True)[1]
    test = _Test(second, strata)
    apart = align(values, strata)
    start = np.array([median(column[second]) - median(column[~second]) for column in apart.T])
    far = 2 * (apart.max(axis=0) - apart.min(axis=0)) + 1
    middle = _middle(test, values, start - far, start + far)
    low, high = (_end(test, values, middle, start + side * far) for side in (-1, 1))
    return [
        None if np.isnan(below) or np.isnan(above) else (float(below), float(above))
        for below, above in zip(low, high, strict=True)
    ]


def _middle(test: _Test, values: F64, low: F64, high: F64) -> F64:
    """The shift of each measure that leaves the groups most alike, which is Hodges and Lehmann's estimate."""
    for _ in range(HALVINGS):
        between = (low + high) / 2
        above = test.sums(values, between)[1] > 0
        low, high = np.where(above, between, low), np.where(above, high, between)
    return (low + high) / 2


def _end(test: _Test, values: F64, inside: F64, outside: F64) -> F64:
    """Where rejection begins on the way from the middle of each measure outwards; NaN if nowhere.

    Where many values are equal, the middle may be the one shift that is not rejected, and is hit by no halving: then
    it is the end.
    """
    known = ~test.accepts(values, outside)
    for _ in range(HALVINGS):
        between = (inside + outside) / 2
        accepted = test.accepts(values, between)
        inside, outside = np.where(accepted, between, inside), np.where(accepted, outside, between)
    return np.where(known, inside, np.nan)


class _Test:
    """A two-sided rank-sum test within strata."""

    def __init__(self, second: Bools, strata: I64) -> None:
        self._second = second.astype(np.float64)
        self._strata = strata
        dealt, ways, even = deals(second, strata)
        # Where there are more ways to deal them out, rank sums are normal for all that can be told.
        self._deals = None
        if ways <= MOST_EXACT:  # where all are even, the other half mirrors the first, and its sums are as far from 0
            self._deals = np.concatenate(list(dealt))[: ways // 2 if even else ways].T.copy()  # [N, P]

    def sums(self, values: F64, shift: F64) -> tuple[F64, F64]:
        """Aligned ranks once the second group is moved back by the shift of each measure, and its sums of them."""
        moved = values - np.outer(self._second, shift)
        ranks = align(rank(align(moved, self._strata)), self._strata)
        return ranks, self._second @ ranks

    def accepts(self, values: F64, shift: F64) -> Bools:
        """For each measure whether the groups may be alike once the second is moved back by its shift."""
        ranks, found = self.sums(values, shift)
        sums = np.abs(found)
        if self._deals is None:
            accepted: Bools = sums <= Z_975 * np.sqrt(self._variance(ranks))
            return accepted
        dealt = ranks.T @ self._deals  # [M, P]: a measure's sums lie side by side, which takes a fifth of the time
        as_far = np.abs(dealt, out=dealt) >= (sums - ROUNDING * len(values))[:, None]
        alike: Bools = np.count_nonzero(as_far, axis=1) / as_far.shape[1] > 1 - LEVEL
        return alike

    def _variance(self, ranks: F64) -> F64:
        """Of the rank sums over all deals."""
        sizes = np.bincount(self._strata)
        taken = np.bincount(self._strata, weights=self._second)
        share = taken * (sizes - taken) / (sizes * np.maximum(sizes - 1, 1))
        variance: F64 = share[self._strata] @ np.square(ranks)
        return variance

"""How precise a comparison is going to be, told without knowing which values are whose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.statistics.robust import median

if TYPE_CHECKING:
    from collections.abc import Sequence

# Two values of either run.
BLOCK = 4
# Fewer blocks cannot show a difference at 5 %: they can be dealt out in 6 ways each, of which two are the farthest.
FEWEST = 3
Z_95 = 1.959964
# Of four values in their order, as the standard deviation of one: half of what the outer ones lie apart from their
# neighbours, and what the inner ones lie apart, in the middle of many blocks (benchmarks/ab_error_rate.py --constants).
# Where the runs are the same, the outer pairs are the ends of one heap of four; where they are far apart, the runs.
OUTER_OF_ONE, OUTER_OF_TWO = 0.673, 1.051
# So many times as far apart as the outer pairs, the inner ones show two heaps, or one.
ONE_HEAP, TWO_HEAPS = 0.7, 2.5
# A rank test of few blocks is less sure than a normal distribution, and its scale is known from few.
OF_FEW = 2


def scatter(blocks: Sequence[Sequence[float]]) -> float:
    """The standard deviation of a value within its block, taken from values whose run is not known.

    Values of a block are put in order. The gaps at either end are those between values of the same run where the runs
    lie apart, and those of four values of one kind where they do not; how wide the gap in the middle is tells which.
    Medians over the blocks, so that a disturbed value spoils one block and no more.

    Args:
        blocks: [N] of `BLOCK` values.
    """
    ordered = np.sort(np.array(blocks, dtype=np.float64), axis=1)
    outer = float(median((ordered[:, 1] - ordered[:, 0] + ordered[:, 3] - ordered[:, 2]) / 2))
    inner = float(median(ordered[:, 2] - ordered[:, 1]))
    if outer <= 0:
        return 0.0
    apart = min(1.0, max(0.0, (inner / outer - ONE_HEAP) / (TWO_HEAPS - ONE_HEAP)))
    return outer / (OUTER_OF_ONE + apart * (OUTER_OF_TWO - OUTER_OF_ONE))


def half_width(blocks: Sequence[Sequence[float]]) -> float | None:
    """Half of the 95 % interval of the difference that is to be expected of such blocks; None of too few.

    It is a function of the values and not of whose they are, so a decision that rests on it alone tells nothing about
    the order in which the runs took turns: given the values of each block, every way of dealing them out stays as
    likely as it was, and a permutation test of the labels within blocks keeps its level exactly, wherever one stops
    (M. Posch and M. A. Proschan, "Unplanned adaptations before breaking the blind", Statistics in Medicine 31 (2012),
    4146-4153; M. Kieser and T. Friede, "Simple procedures for blinded sample size adjustment that do not affect the
    type I error rate", Statistics in Medicine 22 (2003), 3571-3581).
    """
    count = len(blocks)
    if count < FEWEST:
        return None
    width: float = Z_95 * (1 + OF_FEW / count) * scatter(blocks) / count**0.5
    return width


def arrangement(random: np.random.Generator) -> str:
    """An order of two recordings of A and two of B, all six of them alike likely."""
    return "".join(random.permutation(list("AABB")))

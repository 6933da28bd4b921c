"""Whether two groups of requests differ, in several measures at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, combinations, islice, product
from math import comb, prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import F64, I64, Bools

# As many ways to deal the requests out are tried one by one; of more, so many are drawn.
MOST_EXACT = 20_000
DRAWN = 9_999
# Fewer of very many requests, whose p-values need no fine steps, and a part at a time: that bounds time and memory.
LEAST_DRAWN = 999
MOST_DRAWN_CELLS = 40_000_000
BLOCK_CELLS = 4_000_000
SEED = 0
# Statistics that are equal may differ by rounding.
ROUNDING = 1e-12
# Student's t decides between equal sums of ranks and nothing else.
TIE_BREAK = 1e-6


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a test says.

    Attributes:
        p: for each measure, adjusted for all of them.
        least_p: the smallest that so few requests can give.
        permutations: tried, the observed one included.
        exact: whether those are all there are.
    """

    p: list[float]
    least_p: float
    permutations: int
    exact: bool


def align(values: F64, strata: I64) -> F64:
    """Values [N, M] less the mean of their stratum (numbered 0 to S - 1), measure by measure."""
    sums = np.zeros((int(strata.max()) + 1, values.shape[1]))
    np.add.at(sums, strata, values)
    apart: F64 = values - (sums / np.bincount(strata)[:, None])[strata]
    return apart


def differ(values: F64, second: Bools, strata: I64) -> Outcome:
    """Test each measure for a difference between two groups, whichever way it goes.

    Which request is in which group is permuted within the strata (requests of one sample, so that samples are never
    mixed up with groups). The statistic is the rank sum of the second group over values less the mean of their
    stratum (aligned ranks: J. L. Hodges and E. L. Lehmann, Annals of Mathematical Statistics 33 (1962), 482-497; with
    one stratum, Wilcoxon's), in standard deviations. Among few requests many sums are equal; Student's t over the same
    values then says which is the more extreme, so that a wide gap stands out in a table of many measures.

    The p-values are adjusted by the step-down maxT procedure (P. H. Westfall and S. S. Young, Resampling-Based
    Multiple Testing, Wiley 1993, algorithm 4.1): the chance that any measure without a difference gets a p of `a` or
    less is at most `a`, however the measures depend on each other. Where permutations are drawn, the observed one
    counts as one of them (B. Phipson and G. K. Smyth, Statistical Applications in Genetics and Molecular Biology 9
    (2010), article 39).

    Args:
        values: [N, M], one row a request, one column a measure.
        second: [N], whether a request is of the second group.
        strata: [N], numbered from 0 on.
    """
    apart = align(values, strata)
    dealt, ways, even = deals(second, strata)
    exact = ways <= MOST_EXACT
    ranks = align(rank(apart), strata)  # a fair deal sums up to 0
    observed = _statistics(second[None].astype(np.float64), ranks, apart)
    sums = np.concatenate([observed[: 0 if exact else 1], *(_statistics(block, ranks, apart) for block in dealt)])
    return Outcome(
        p=_step_down(observed[0], sums),
        # Where each stratum is divided evenly the mirrored deal is as extreme.
        least_p=min(1.0, (2 if even else 1) / ways),
        permutations=len(sums),
        exact=exact,
    )


def deals(second: Bools, strata: I64) -> tuple[Iterator[Any], int, bool]:
    """Ways to deal out the requests as `second` does, in blocks [P, N]: all, or of too many some at random.

    Beside them how many there are, and whether each stratum is divided evenly.
    """
    taken = [int(second[strata == stratum].sum()) for stratum in range(int(strata.max()) + 1)]
    sizes = [int((strata == stratum).sum()) for stratum in range(len(taken))]
    ways = prod(comb(size, count) for size, count in zip(sizes, taken, strict=True))
    dealt = _all(strata, sizes, taken) if ways <= MOST_EXACT else _drawn(strata, sizes, taken)
    return dealt, ways, all(2 * count == size for count, size in zip(taken, sizes, strict=True))


def _statistics(dealt: F64, ranks: F64, values: F64) -> F64:
    """Of each deal [P, N] and measure [M]: the rank sum in standard deviations, and a little of t / (1 + t)."""
    size, members = len(values), dealt.sum(axis=1, keepdims=True)
    spread = np.sqrt(np.square(ranks).mean(axis=0))
    flat = spread < ROUNDING  # all values equal: nothing to tell apart
    sums = np.abs(dealt @ ranks) / np.where(flat, np.inf, spread) / size**0.5
    total = values.sum(axis=0)
    second = dealt @ values
    between = second**2 / members + (total - second) ** 2 / (size - members) - total**2 / size
    within = np.maximum(np.square(values).sum(axis=0) - total**2 / size - between, 0)
    # t / (1 + t), which is 1 where nothing varies within the groups.
    t = np.sqrt(np.maximum(between, 0) * max(size - 2, 1))
    found: F64 = sums + TIE_BREAK * np.where(flat, 0, t / np.maximum(t + np.sqrt(within), ROUNDING))
    return found


def _step_down(observed: F64, sums: F64) -> list[float]:
    """Adjusted p-values of the observed statistics [M] among those of all permutations [P, M]."""
    order = np.argsort(-observed, kind="stable")
    largest = np.maximum.accumulate(sums[:, order[::-1]], axis=1)[:, ::-1]
    shares = (largest >= observed[order] - ROUNDING).mean(axis=0)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(shares)
    return [float(value) for value in adjusted]


def rank(values: F64) -> F64:
    """Ranks [N, M] from 1 on, column by column; equal values share the mean of theirs."""
    # Aligned values that should be equal may differ in their last digits.
    rounded = np.round(values, 12)
    order = np.argsort(rounded, axis=0)
    ordered = np.take_along_axis(rounded, order, axis=0)
    places = np.broadcast_to(np.arange(len(values))[:, None], values.shape)
    first, last = np.ones(values.shape, dtype=bool), np.ones(values.shape, dtype=bool)
    first[1:] = last[:-1] = ordered[1:] != ordered[:-1]
    lowest = np.maximum.accumulate(np.where(first, places, 0), axis=0)
    highest = np.minimum.accumulate(np.where(last, places, len(values))[::-1], axis=0)[::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (lowest + highest) / 2 + 1, axis=0)
    return ranks


def _all(strata: I64, sizes: list[int], taken: list[int]) -> Iterator[Any]:
    """Every way to deal `taken` of each stratum into the second group, in blocks [P, N]."""
    members = [np.flatnonzero(strata == stratum) for stratum in range(len(sizes))]
    ways = product(*[combinations(rows, count) for rows, count in zip(members, taken, strict=True)])
    while block := list(islice(ways, _rows(len(strata)))):
        dealt = np.zeros((len(block), len(strata)))
        indices = np.fromiter(chain.from_iterable(chain.from_iterable(block)), np.intp, len(block) * sum(taken))
        np.put_along_axis(dealt, indices.reshape(len(block), sum(taken)), 1, axis=1)
        yield dealt


def _drawn(strata: I64, sizes: list[int], taken: list[int]) -> Iterator[Any]:
    """Random ones of those. Strata of one size are shuffled at once, bytes and not numbers: of many requests, that is
    what a test takes its time for."""
    random = np.random.default_rng(SEED)
    alike: dict[int, list[int]] = {}
    for stratum, size in enumerate(sizes):
        alike.setdefault(size, []).append(stratum)
    by_stratum = np.argsort(strata, kind="stable")
    starts = np.cumsum([0, *sizes[:-1]])
    drawn, rows = max(LEAST_DRAWN, min(DRAWN, MOST_DRAWN_CELLS // len(strata))), _rows(len(strata))
    for start in range(0, drawn, rows):
        count = min(rows, drawn - start)
        dealt = np.empty((count, len(strata)))
        for size, group in alike.items():
            members = by_stratum[starts[group][:, None] + np.arange(size)]  # [strata, size]
            template = np.arange(size) < np.array([taken[stratum] for stratum in group])[:, None]
            shuffled = random.permuted(np.tile(template.view(np.uint8), (count, 1)), axis=1)
            dealt[:, members.ravel()] = shuffled.reshape(count, -1)
        yield dealt


def _rows(requests: int) -> int:
    """Deals in one block."""
    return max(1, BLOCK_CELLS // requests)

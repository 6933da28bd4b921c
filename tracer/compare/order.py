"""In which order the recordings of two runs were made, where their files say when."""

from __future__ import annotations

from itertools import pairwise
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from tracer.compare.verdicts import ERROR_RATE
from tracer.document.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.arrays import F64
    from tracer.document.summary import Summary

# Sums that are equal may differ by rounding.
ROUNDING = 1e-9


def took_turns(before: Sequence[Summary], after: Sequence[Summary]) -> bool:
    """Whether recordings were made in turns, as far as is known.

    They were not where the run changes from one recording to the next less often than in 19 of 20 random orders
    (A. Wald and J. Wolfowitz, "On a test whether two samples are from the same population", Annals of Mathematical
    Statistics 11 (1940), 147-162), nor where what only rises, or steps up once, would part the runs in a rank test as
    a difference between them does: AAAABABBBB changes often enough, and drift would look like B's doing.
    """
    if not order_is_known(before, after):
        return True
    times = [(one.trace.began_ns or 0, number) for number, run in enumerate((before, after)) for one in run]
    order = [number for _, number in sorted(times)]
    stretches = 1 + sum(one != other for one, other in pairwise(order))
    return _as_few(stretches, len(before), len(after)) > ERROR_RATE and not _parted_by_drift(order)


def order_is_known(before: Sequence[Summary], after: Sequence[Summary]) -> bool:
    """Whether all recordings say when they were made."""
    return all(one.trace.began_ns is not None for one in (*before, *after))


def share_recordings(before: Sequence[Summary], after: Sequence[Summary]) -> bool:
    """Whether a recording is there on both sides, as far as is known."""
    sides = [{one.trace.began_ns for one in run if one.requests} - {None} for run in (before, after)]
    return not sides[0].isdisjoint(sides[1])


def _parted_by_drift(order: Sequence[int]) -> bool:
    """Whether a rank-sum test at `ERROR_RATE` would claim a difference of what rises from one recording to the next, or
    of what steps up at one of them, whichever that is.

    Args:
        order: of which run, 0 or 1, each recording is.
    """
    second = sum(order)
    if not 0 < second < len(order):
        return False
    places = sum(place for place, number in enumerate(order) if number)
    if _as_far(places, _rank_sums(len(order), second)) <= ERROR_RATE:
        return True
    above = [sum(order[start:]) for start in range(1, len(order))]
    return any(
        _as_far(found, _held(len(order), second, len(order) - start)) <= ERROR_RATE
        for start, found in enumerate(above, start=1)
    )


def _as_far(found: int, ways: F64) -> float:
    """In what share of ways a sum is as far from their middle as this one; `ways[s]` lead to a sum of s."""
    sums = np.arange(len(ways))
    middle = float(ways @ sums / ways.sum())
    far = np.abs(sums - middle) >= abs(found - middle) - ROUNDING
    return float(ways[far].sum() / ways.sum())


def _rank_sums(size: int, taken: int) -> F64:
    """In how many ways so many of the places 0 to `size` - 1 add up to each sum."""
    ways = np.zeros((taken + 1, size * taken + 1))
    ways[0, 0] = 1
    for place in range(size):
        ways[1:, place:] += ways[:-1, : ways.shape[1] - place].copy()
    found: F64 = ways[taken]
    return found


def _held(size: int, taken: int, above: int) -> F64:
    """In how many ways each number of those taken is among the last `above`."""
    return np.array(
        [float(comb(above, held) * comb(size - above, taken - held)) for held in range(taken + 1)], dtype=np.float64
    )


def _as_few(stretches: int, before: int, after: int) -> float:
    """In what share of random orders so many recordings of two runs make so few stretches of one run, or fewer."""
    ways = 0
    for number in range(2, stretches + 1):
        half, odd = divmod(number, 2)
        if odd:
            ways += comb(before - 1, half) * comb(after - 1, half - 1)
            ways += comb(before - 1, half - 1) * comb(after - 1, half)
        else:
            ways += 2 * comb(before - 1, half - 1) * comb(after - 1, half - 1)
    return ways / comb(before + after, before)


def refuse_repeated(recordings: Sequence[Summary]) -> None:
    """Refuse recordings of a run of which one is there twice, as that is no evidence.

    Raises:
        InputError: two began at the same nanosecond.
    """
    seen: dict[int, str] = {}
    for one in recordings:
        began_ns, path = one.trace.began_ns, one.trace.path
        if began_ns is None or not one.requests:
            continue
        if began_ns in seen:
            raise InputError(
                f"{path}: the same recording as {seen[began_ns]}; record each run several times, a file each"
            )
        seen[began_ns] = path

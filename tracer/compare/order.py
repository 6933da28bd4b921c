"""In which order the recordings of two runs were made, where their files say when."""

from __future__ import annotations

from itertools import pairwise
from math import comb
from typing import TYPE_CHECKING

from tracer.compare.verdicts import ERROR_RATE
from tracer.document.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.summary import Summary


def took_turns(before: Sequence[Summary], after: Sequence[Summary]) -> bool:
    """Whether recordings were made in turns, as far as is known.

    They were not where the run changes from one recording to the next less often than in 19 of 20 random orders
    (A. Wald and J. Wolfowitz, "On a test whether two samples are from the same population", Annals of Mathematical
    Statistics 11 (1940), 147-162): what drifted meanwhile then parts the runs as a difference between them would.
    """
    times = [(one.trace.began_ns, number) for number, run in enumerate((before, after)) for one in run]
    known = sorted((began_ns, number) for began_ns, number in times if began_ns is not None)
    if len(known) < len(times):
        return True
    stretches = 1 + sum(one[1] != other[1] for one, other in pairwise(known))
    return _as_few(stretches, len(before), len(after)) > ERROR_RATE


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

"""How long a draft should be: what was accepted at each position, and what it takes to check so many tokens."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from tracer.document.summary import MOST_ROUNDS, Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.summary import Round


def acceptance_by_position(told: Sequence[Round]) -> list[float]:
    """Of the rounds that drafted a token at each position, in what share it was accepted."""
    drafted, accepted = (
        np.bincount([min(getattr(one, name) or 0, MOST_ROUNDS) for one in told], minlength=1)
        for name in ("drafted", "accepted")
    )
    # Of so many rounds each number, summed from the longest down: those that came so far.
    reached = np.cumsum(drafted[::-1])[::-1][1:]
    held = np.cumsum(accepted[::-1])[::-1][1:]
    shares = np.zeros(len(reached))
    shares[: len(held)] = held / reached[: len(held)]
    return [float(share) for share in shares]


def checks_of(timed: Sequence[Round]) -> list[Check]:
    """What a check of so many drafted tokens takes, by how many; empty where a round does not say."""
    if any(one.drafted is None or one.verify_ns is None for one in timed):
        return []
    by_drafted: dict[int, list[int]] = {}
    for one in timed:
        by_drafted.setdefault(one.drafted or 0, []).append(one.verify_ns or 0)
    return [
        Check(drafted=drafted, rounds=len(taken), verify_ns=round(median(taken)))
        for drafted, taken in sorted(by_drafted.items())
    ]


def best_length(by_position: Sequence[float], timed: Sequence[Round], checks: Sequence[Check]) -> int | None:
    """The number of drafted tokens that yields the most in a time.

    A token counts only where those before it did: a share that is higher at a later position, of the few rounds that
    drafted that many, is taken for the lowest before. A check of a number that no round drafted is taken to cost what
    lies between its neighbours do, at the ends as the last of them. None where rounds draft nothing.
    """
    drafted = sum(one.drafted or 0 for one in timed)
    making_ns = sum((one.draft_ns or 0) + (one.map_ns or 0) for one in timed)
    if not by_position or not drafted or not checks or checks[-1].verify_ns <= 0:
        return None
    lengths = np.arange(1, len(by_position) + 1)
    check_ns = np.interp(lengths, [one.drafted for one in checks], [one.verify_ns for one in checks])
    tokens = 1 + np.cumsum(np.minimum.accumulate(by_position))
    return int(lengths[np.argmax(tokens / np.maximum(1.0, check_ns + lengths * (making_ns / drafted)))])

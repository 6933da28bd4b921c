"""How many tokens a round yields, by the probability that each drafted token is accepted."""

from __future__ import annotations

from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Halvings of an interval of probabilities.
HALVINGS = 50


def by_position(shares: Sequence[float], drafted: int) -> list[float]:
    """The probability at each position of a draft, given that all before it are accepted; the last share goes on."""
    return [shares[min(place, len(shares) - 1)] for place in range(drafted)]


def expected_tokens(shares: Sequence[float], drafted: int) -> float:
    """What a round yields on average: the accepted tokens, and the target's own one.

    Of one share p for all it is (1 - p^(k+1)) / (1 - p), equation 1 of Leviathan, Kalman and Matias (2023),
    arXiv:2211.17192, as the sum that it comes from.
    """
    reached = accumulate(by_position(shares, drafted), mul)
    return 1.0 + float(sum(reached))


def break_even(drafted: int, needed: float, sequences: int = 1) -> float | None:
    """The probability, one for all positions, at which a round yields so many tokens; None where none does.

    Args:
        drafted: tokens of a round.
        needed: tokens that the target alone would make in a round's time.
        sequences: of which all have to accept a token.
    """
    if needed > drafted + 1:
        return None
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = expected_tokens([middle**sequences], drafted) >= needed
        low, high = (low, middle) if enough else (middle, high)
    return high if needed > 1 else 0.0

"""Acceptance as it is asked for: with random weights what a draft guesses is meaningless, what it costs is not.

What the target will say is known beforehand, from answers of the same request that nobody measured. Before each round
it is decided which drafted tokens are to be right; these are the target's, the first wrong one is another. The draft's
passes are made all the same, and are given these tokens; the target checks honestly, so that the answer stays its own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Of so many seeded sequences of decisions that one is taken whose rounds yield most nearly what the shares say: an
# answer has few rounds, and chance would move its costs by more than what is to be compared.
CANDIDATES = 256
Rows = list[list[int]]


@dataclass(frozen=True, slots=True)
class Forced:
    """Which drafted tokens of an answer are right.

    Attributes:
        shares: of the tokens at each position of a round, of those whose predecessors were right; the last goes on.
        teacher: what the target says, of each sequence.
        draws: a number from 0 to 1 for each token of the answer; right where it is below the share.
        words: ids below this are in both vocabularies.
    """

    shares: tuple[float, ...]
    teacher: Rows
    draws: Sequence[float]
    words: int

    def follows(self, answer: Rows) -> bool:
        """Whether an answer is what the target was known to say, so far; else nothing can be forced on it."""
        return all(row == known[: len(row)] for row, known in zip(answer, self.teacher, strict=True))

    def proposals(self, place: int, count: int) -> Rows:
        """What a draft proposes for tokens `place` to `place + count - 1`, in the target's ids."""
        right = self._right(place, count)
        return [[self._token(known, place + one, right=one < right) for one in range(count)] for known in self.teacher]

    def _right(self, place: int, count: int) -> int:
        return _right(self.shares, self.draws[place : place + count])

    def _token(self, known: Sequence[int], place: int, *, right: bool) -> int:
        token = known[place] if place < len(known) else 0  # behind a stop nothing is read any more
        return token if right else (token + 1) % self.words


def _right(shares: Sequence[float], draws: Sequence[float]) -> int:
    """How many tokens of a round are right before the first wrong one."""
    for one, draw in enumerate(draws):
        if draw >= shares[min(one, len(shares) - 1)]:
            return one
    return len(draws)


def yielded(shares: Sequence[float], count: int) -> float:
    """Tokens that a round of `count` drafted ones yields on average.

    Source: 1 + the sum of the products of the shares, which for one share p is (1 - p^(k+1)) / (1 - p) (Leviathan et
    al., Fast Inference from Transformers via Speculative Decoding, 2023, equation 1).
    """
    expected, reached = 1.0, 1.0
    for one in range(count):
        reached *= shares[min(one, len(shares) - 1)]
        expected += reached
    return expected


def draws(shares: Sequence[float], count: int, length: int, seed: int) -> list[float]:
    """Seeded numbers for an answer of `length` tokens in rounds of `count` drafted ones (see `CANDIDATES`)."""
    wanted = yielded(shares, count)
    streams = [_stream(seed, number, length) for number in range(CANDIDATES)]
    return min(streams, key=lambda stream: abs(_mean(shares, count, stream) - wanted))


def _stream(seed: int, number: int, length: int) -> list[float]:
    chance = random.Random(f"{seed}/{number}")  # noqa: S311 -- no secret
    return [chance.random() for _ in range(length)]


def _mean(shares: Sequence[float], count: int, stream: Sequence[float]) -> float:
    """Tokens of a round, of the rounds that have room for all of theirs; else of all."""
    place, found = 1, []
    while place < len(stream):
        drafted = min(count, len(stream) - place - 1)
        new = _right(shares, stream[place : place + drafted]) + 1
        found.append((new, drafted))
        place += new
    whole = [new for new, drafted in found if drafted == count]
    return mean(whole or [new for new, _ in found] or [0])

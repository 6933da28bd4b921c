"""Finding short byte strings in a block of text, all at once.

NumPy compares a block that fits the processor's cache several times faster than a search that stops at every near
miss, and JSON is full of near misses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.trace.chrome.layout import UnscannableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.arrays import I64, Bools

CATEGORY = b'"cat"'
BEHIND_VALUES = b",]}"
_IS_BEHIND = np.isin(np.arange(256), list(BEHIND_VALUES))
# The key in another spelling than the one the scanner looks for.
ODD_CATEGORY = re.compile(rb'"cat"(?!: ?"|[' + re.escape(BEHIND_VALUES) + rb"])")


class Needles:
    """Byte strings of at least five bytes to look for, all at once; of none are the first four all alike.

    Bytes are compared two at a time, where pairs lie in memory: of what begins at an even place the third and fourth
    are such a pair, else the second and third. The others are compared only where one of these fits.
    """

    def __init__(self, *needles: bytes) -> None:
        self._needles = [(len(needle), _word(needle[:4]), _word(needle[-4:])) for needle in needles]
        pairs = {needle[at : at + 2] for needle in needles for at in (1, 2)}
        self._pairs = [np.uint16(int.from_bytes(pair, "little")) for pair in sorted(pairs)]
        self._scratch: tuple[Bools, Bools] = (np.empty(0, dtype=np.bool_), np.empty(0, dtype=np.bool_))

    def places(self, text: bytes, begin: int, end: int) -> list[I64]:
        """Offsets of all occurrences in text[begin:end], of each needle."""
        low = begin & ~1
        pairs = np.frombuffer(text, dtype="<u2", count=max(0, end - low) // 2, offset=low)
        if len(self._scratch[0]) < len(pairs):
            self._scratch = np.empty(2 * len(pairs), dtype=np.bool_), np.empty(2 * len(pairs), dtype=np.bool_)
        fits, also = self._scratch[0][: len(pairs)], self._scratch[1][: len(pairs)]
        np.equal(pairs, self._pairs[0], out=fits)
        for pair in self._pairs[1:]:
            np.equal(pairs, pair, out=also)
            np.logical_or(fits, also, out=fits)
        odd = low - 1 + 2 * np.flatnonzero(fits)
        odd = odd[(odd >= begin) & (odd <= end - 4)]
        # Four bytes at a time, at whatever place they stand.
        words = np.ndarray((max(0, len(text) - 3),), dtype="<u4", buffer=text, strides=(1,))
        at_odd, at_even = words[odd], words[odd - 1]
        found = []
        for length, head, tail in self._needles:
            even = at_even == head
            fits = even | (at_odd == head)
            places = odd[fits] - even[fits]
            places = places[(places >= begin) & (places <= end - length)]
            found.append(int64(places[words[places + (length - 4)] == tail]))
        return found


def _word(part: bytes) -> np.uint32:
    return np.uint32(int.from_bytes(part, "little"))


class Categories:
    """Where categories begin like one of those that are wanted.

    A category's key is followed by a colon, at most one space, and a quote; the same word may also be a value.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._wanted = np.zeros(1 << 16, dtype=np.bool_)
        for name in names:
            self._wanted[int.from_bytes(name[:2].encode(), "little")] = True

    def wanted(self, text: bytes, found: I64, end: int) -> tuple[I64, I64]:
        """Offsets of the keys in text[:end] whose value may be wanted (its first two letters are), and of values.

        Args:
            text: a text.
            found: where `CATEGORY` occurs in it.
            end: of what may be looked at.

        Raises:
            UnscannableError: a category is written in another way.
        """
        data = np.frombuffer(text, dtype=np.uint8)
        letter = found + len(CATEGORY)
        letter = letter[letter + 4 < end]
        is_key = data[letter] == ord(":")
        quote = letter + 1 + (data[letter + 1] == ord(" "))
        if not np.where(is_key, data[quote] == ord('"'), _IS_BEHIND[data[letter]]).all():
            raise UnscannableError
        found, letter = found[: len(letter)][is_key], quote[is_key] + 1
        code = data[letter].astype(np.int64) | data[letter + 1].astype(np.int64) << 8
        wanted = self._wanted[code]
        return found[wanted], letter[wanted]

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
# The key in another spelling than the one the scanner looks for.
ODD_CATEGORY = re.compile(rb'"cat"(?!: ?"|[' + re.escape(BEHIND_VALUES) + rb"])")


class Needle:
    """A byte string of at least five bytes to look for.

    Its second and third bytes are compared at every place, the others only where those fit.
    """

    def __init__(self, needle: bytes) -> None:
        self._needle = needle
        self._scratch: tuple[Bools, Bools] = (np.empty(0, dtype=np.bool_), np.empty(0, dtype=np.bool_))

    def places(self, text: bytes, begin: int, end: int) -> I64:
        """Offsets of all occurrences in text[begin:end]."""
        needle = self._needle
        data = np.frombuffer(text, dtype=np.uint8, count=end - begin, offset=begin)
        count = len(data) - len(needle) + 1
        if count <= 0:
            return int64([])
        if len(self._scratch[0]) < count:
            self._scratch = np.empty(2 * count, dtype=np.bool_), np.empty(2 * count, dtype=np.bool_)
        fits, also = self._scratch[0][:count], self._scratch[1][:count]
        np.equal(data[1 : count + 1], needle[1], out=fits)
        np.equal(data[2 : count + 2], needle[2], out=also)
        np.logical_and(fits, also, out=fits)
        found = np.flatnonzero(fits)
        # Four bytes at a time, at whatever place they stand.
        words = np.ndarray((len(data) - 3,), dtype="<u4", buffer=text, offset=begin, strides=(1,))
        for place in (0, len(needle) - 4):
            word = int.from_bytes(needle[place : place + 4], "little")
            found = found[words[found + place] == word]
        return int64(found + begin)


class Categories:
    """Where categories begin like one of those that are wanted.

    A category's key is followed by a colon, at most one space, and a quote; the same word may also be a value.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._key = Needle(CATEGORY)
        self._behind_values = np.isin(np.arange(256), list(BEHIND_VALUES))
        self._wanted = np.zeros(1 << 16, dtype=np.bool_)
        for name in names:
            self._wanted[int.from_bytes(name[:2].encode(), "little")] = True

    def places(self, text: bytes, begin: int, end: int) -> tuple[I64, I64]:
        """Offsets of the keys in text[begin:end] whose value may be wanted (its first two letters are), and of values.

        Raises:
            UnscannableError: a category is written in another way.
        """
        found = self._key.places(text, begin, end)
        data = np.frombuffer(text, dtype=np.uint8)
        letter = found + len(CATEGORY)
        letter = letter[letter + 4 < end]
        is_key = data[letter] == ord(":")
        quote = letter + 1 + (data[letter + 1] == ord(" "))
        if not np.where(is_key, data[quote] == ord('"'), self._behind_values[data[letter]]).all():
            raise UnscannableError
        found, letter = found[: len(letter)][is_key], quote[is_key] + 1
        code = data[letter].astype(np.int64) | data[letter + 1].astype(np.int64) << 8
        wanted = self._wanted[code]
        return found[wanted], letter[wanted]

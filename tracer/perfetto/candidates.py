"""Which events in a text may have to do with some intervals: found by their times, without reading anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.trace.chrome.needles import Needles

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.intervals import Cover

# Digits of whole microseconds that are read; longer numbers are looked at closely.
DIGITS = 15
_LONGEST_NS = 1 << 61
_ZERO, _SPACE, _QUOTE, _LETTER = b'0 "M'
_ENDS = np.isin(np.arange(256), list(b".,}\r\n "))


class Candidates:
    """Finds them in the texts of a file."""

    def __init__(self, near: Cover) -> None:
        self._near = near
        self._needles = Needles(b'"ts":', b'"dur":')

    def places(self, text: bytes, begin: int, end: int) -> list[int]:
        """An offset in each event of text[begin:end] that may overlap the intervals, and in each that is metadata.

        Wherever the text leaves a doubt, an event is one of them.
        """
        times, lengths = self._needles.places(text, begin, end)
        start, read = _whole_numbers(text, times + 5)
        reach = start + 1 + _longest_beside(times, lengths, *_whole_numbers(text, lengths + 6))
        near = self._near.within(1000 * start - 1000, 1000 * reach + 1000) > 0
        found = times[near | ~read]
        return sorted({*found.tolist(), *_metadata(text, begin, end).tolist()})


def _metadata(text: bytes, begin: int, end: int) -> I64:
    """Where the phase of metadata stands, which may be any text "M"."""
    data = np.frombuffer(text, dtype=np.uint8, count=end - begin, offset=begin)
    letter = np.flatnonzero(data[1:-1] == _LETTER)
    return int64(letter[(data[letter] == _QUOTE) & (data[letter + 2] == _QUOTE)] + begin)


def _whole_numbers(text: bytes, places: I64) -> tuple[I64, Bools]:
    """The digits in front of the decimal point at each place, and where they were read; 0 elsewhere."""
    data = np.frombuffer(text, dtype=np.uint8)
    if not len(places):
        return places, np.zeros(0, dtype=np.bool_)
    last = len(data) - 1
    at = places + (data[np.minimum(places, last)] == _SPACE)
    value, length = np.zeros(len(places), dtype=np.int64), np.zeros(len(places), dtype=np.int64)
    inside = np.ones(len(places), dtype=np.bool_)
    for column in range(DIGITS + 1):
        digit = data[np.minimum(at + column, last)].astype(np.int64) - _ZERO
        inside &= (digit >= 0) & (digit <= 9) & (at + column <= last)
        value = np.where(inside, 10 * value + digit, value)
        length += inside
        if not inside.any():
            break
    read = (length > 0) & (length <= DIGITS) & _ENDS[data[np.minimum(at + length, last)]]
    return int64(np.where(read, value, 0)), np.asarray(read, dtype=np.bool_)


def _longest_beside(times: I64, lengths: I64, value: I64, read: Bools) -> I64:
    """For each time, the longest duration between the times beside it, on either side: one of them is its own."""
    value = np.where(read, value, _LONGEST_NS // 1000)
    longest = np.zeros(len(times), dtype=np.int64)
    if not len(lengths) or not len(times):
        return longest
    after = np.searchsorted(times, lengths)
    np.maximum.at(longest, np.maximum(after - 1, 0), value)
    np.maximum.at(longest, np.minimum(after, len(times) - 1), value)
    return longest

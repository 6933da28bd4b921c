"""A piece of a column of integers in as few bytes as hold it, in one of several ways.

Most numbers of a column lie close together: each is kept as how far it is beyond the smallest (`Packed`). Times that
lie further apart do so a few hundred at a time (`Stepping`); durations do, but for a few (`Outlying`); and what all ops
of a graph's replay have in common, as the number of their launch, is the same for many rows (`Alike`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from tracer.arrays import int64, repeated

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools, Column

_NARROW = [(kind, int(np.iinfo(kind).max)) for kind in (np.uint8, np.uint16, np.uint32)]
_NOTHING_BEYOND = np.zeros(1, dtype=np.uint8)
_LEAST = np.iinfo(np.int64).min
# Rows of a step.
STEP = 256
# What a number costs that is kept beside its place, and one that is kept with how often it comes.
_APART_BYTES, _RUN_BYTES = 12, 16
# By so much at least another way is to be smaller, since `Packed` is the quickest to unpack.
_WORTH = 0.75


class Part(Protocol):
    """What a piece of a column is kept as."""

    @property
    def rows(self) -> int:
        """How many it has."""

    def into(self, column: Column) -> None:
        """Write it into a column of the same length, of a type that holds what it has."""

    def among(self, begin: int, end: int, column: Column) -> None:
        """Write some of its rows into a column of their number."""


class Packed(NamedTuple):
    """Integers: the smallest, and how far beyond it each one is.

    Where `missing` is set, what is 0 beyond is the least of all 64-bit integers, which stands for what is not there.
    """

    low: int
    beyond: Column
    missing: bool = False

    @property
    def rows(self) -> int:
        """How many it has."""
        return len(self.beyond)

    def unpacked(self) -> I64:
        """The column as it was."""
        column = np.empty(len(self.beyond), dtype=np.int64)
        self.into(column)
        return column

    def into(self, column: Column) -> None:
        """Write it into a column of the same length, of a type that holds what it has."""
        column[:] = self.beyond
        column += self.low
        if self.missing:
            column[self.beyond == 0] = _LEAST

    def among(self, begin: int, end: int, column: Column) -> None:
        """Write some of its rows into a column of their number."""
        Packed(self.low, self.beyond[begin:end], self.missing).into(column)

    def chosen(self, rows: Bools) -> Packed:
        """Some of its rows."""
        return Packed(self.low, self.beyond[rows], self.missing)

    @property
    def single(self) -> bool:
        """Whether it is of one number, in the memory of that one."""
        return self.beyond.strides == (0,)


class _Whole:
    """What is unpacked as a whole."""

    __slots__ = ()

    @property
    def rows(self) -> int:
        """How many it has."""
        raise NotImplementedError

    def into(self, column: Column) -> None:
        """Write it into a column of the same length."""
        raise NotImplementedError

    def among(self, begin: int, end: int, column: Column) -> None:
        """Write some of its rows into a column of their number."""
        if (begin, end) == (0, self.rows):
            self.into(column)
            return
        whole = np.empty(self.rows, dtype=column.dtype)
        self.into(whole)
        column[:] = whole[begin:end]


class Stepping(_Whole):
    """Integers of which each STEP in a row lie close together: `beyond` their smallest, which is among `lows`."""

    __slots__ = ("beyond", "lows")

    def __init__(self, lows: I64, beyond: Column) -> None:
        self.lows, self.beyond = lows, beyond

    @property
    def rows(self) -> int:
        """How many it has."""
        return len(self.beyond)

    def into(self, column: Column) -> None:
        """Write it into a column of the same length, of a type that holds what it has."""
        column[:] = self.beyond
        even = len(column) // STEP * STEP
        column[:even].reshape(-1, STEP)[:] += self.lows[: even // STEP, None]
        if even < len(column):
            column[even:] += self.lows[-1]


class Outlying(_Whole):
    """Integers that lie close together, but for some `apart`, which are at these `places`."""

    __slots__ = ("apart", "near", "places")

    def __init__(self, near: Packed, places: Column, apart: I64) -> None:
        self.near, self.places, self.apart = near, places, apart

    @property
    def rows(self) -> int:
        """How many it has."""
        return len(self.near.beyond)

    def into(self, column: Column) -> None:
        """Write it into a column of the same length, of a type that holds what it has."""
        self.near.into(column)
        column[self.places] = self.apart


class Alike(_Whole):
    """Integers of which many in a row are the same: each once, and how many `times`."""

    __slots__ = ("once", "times")

    def __init__(self, once: I64, times: Column) -> None:
        self.once, self.times = once, times

    @property
    def rows(self) -> int:
        """How many it has."""
        return int(self.times.sum())

    def into(self, column: Column) -> None:
        """Write it into a column of the same length, of a type that holds what it has."""
        column[:] = np.repeat(self.once, self.times)


def pack(column: Column) -> Packed:
    """Pack a column; one whose numbers lie far apart stays as wide as it is, but for those that are missing."""
    if not len(column):
        return Packed(0, np.empty(0, dtype=np.uint8))
    return _packed(column, int(column.min()), int(column.max()))


def _packed(column: Column, low: int, high: int) -> Packed:
    there = column[column != _LEAST] if low == _LEAST < high else column
    missing = there is not column
    low = int(there.min()) - missing if missing else low
    fits = next((kind for kind, most in _NARROW if high - low <= most), None)
    if fits is None:
        return Packed(0, np.array(column, dtype=np.int64))  # a copy, as of the others
    if not missing:
        return Packed(low, (int64(column) - low).astype(fits))
    return Packed(low, np.where(column == _LEAST, 0, column - low).astype(fits), missing=True)


def block(column: Column) -> Part:
    """A column packed by itself in the way that takes the least; of a single number in the memory of that one."""
    if not len(column):
        return pack(column)
    low, high = int(column.min()), int(column.max())
    if low == high:
        return Packed(low, repeated(_NOTHING_BEYOND, len(column)))
    changes = column[1:] != column[:-1]
    runs = int(np.count_nonzero(changes)) + 1
    if runs * _RUN_BYTES < _WORTH * len(column):
        return _alike(column, changes)
    packed = _packed(column, low, high)
    if packed.beyond.itemsize == column.itemsize:
        return _stepping(column) or packed
    return _outlying(column, packed) or packed


def _alike(column: Column, changes: Bools) -> Alike:
    begins = np.append(0, np.flatnonzero(changes) + 1)
    return Alike(int64(column[begins]), np.diff(begins, append=len(column)))


def _stepping(column: Column) -> Stepping | None:
    begins = np.arange(0, len(column), STEP)
    lows, highs = (edge.reduceat(column, begins).astype(np.int64) for edge in (np.minimum, np.maximum))
    kind, most = _NARROW[-1]
    spread = highs - lows  # below 0 where it is more than 63 bits hold
    if column.itemsize < lows.itemsize or ((spread < 0) | (spread > most)).any():
        return None
    beyond = np.array(column)
    even = len(column) // STEP * STEP
    beyond[:even].reshape(-1, STEP)[:] -= lows[: even // STEP, None]
    beyond[even:] -= lows[-1]
    return Stepping(lows, beyond.astype(kind))


def _outlying(column: Column, packed: Packed) -> Outlying | None:
    beyond = packed.beyond
    for kind, most in _NARROW:
        width = np.dtype(kind).itemsize
        room = len(beyond) * (_WORTH * beyond.itemsize - width)
        if room <= 0:
            return None
        far = beyond > most
        if np.count_nonzero(far) * _APART_BYTES < room:
            places = np.flatnonzero(far)
            near = Packed(packed.low, np.where(far, 0, beyond).astype(kind), packed.missing)
            return Outlying(near, places.astype(np.uint32), int64(column[places]))
    return None

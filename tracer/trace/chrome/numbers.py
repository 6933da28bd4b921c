"""Columns of number texts to columns of integers: a whole block at a time, exactly."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import Bools, int64
from tracer.document.times import microseconds_to_ns
from tracer.trace.chrome.events import Id, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

    from tracer.arrays import I64

_COMMA, _DOT, _ZERO, _NINE = b",.09"
# Eighteen digits always fit 64 bits, the factor of a thousand included for what is not longer than fifteen.
_DIGITS = 18
_LIMIT = 1 << 62
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
# No id has more than the 64 bits of a handle.
_INTEGER = re.compile(r"-?\d{1,20}", re.ASCII)


def nanoseconds(texts: Sequence[msgspec.Raw]) -> tuple[I64, Bools]:
    """Read decimal microseconds: nanoseconds, and which texts were usable numbers (the others are 0)."""
    plain = _plain_decimals(texts)
    if plain is not None:
        return plain, np.ones(len(texts), dtype=np.bool_)
    values, usable = np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=np.bool_)
    for place, text in enumerate(texts):
        try:
            values[place] = microseconds_to_ns(text_of(text))
            usable[place] = True
        except ValueError:
            continue
    return values, usable


def _plain_decimals(texts: Sequence[msgspec.Raw]) -> I64 | None:
    """All texts at once, if each is digits with at most three decimals; else None."""
    joined = b",".join(texts)
    data = np.frombuffer(joined, dtype=np.uint8)
    commas, dots = np.flatnonzero(data == _COMMA), np.flatnonzero(data == _DOT)
    digits = np.count_nonzero((data >= _ZERO) & (data <= _NINE))
    if digits + len(commas) + len(dots) != len(data) or len(commas) != len(texts) - 1:
        return None
    starts, ends = np.append(0, commas + 1), np.append(commas, len(data))
    token = np.searchsorted(ends, dots)
    decimals = np.zeros(len(texts), dtype=np.int64)
    decimals[token] = ends[token] - dots - 1
    length = ends - starts
    length[token] -= 1
    # The power of ten lengthens what has fewer decimals.
    if (np.diff(token) < 1).any() or decimals.max() > 3 or (length + 3 - decimals).max() > _DIGITS:
        return None
    if (length - decimals).min() < 1:
        return None
    return int64(_parse(joined.replace(b".", b"")) * 10 ** (3 - decimals))


def integers(values: Sequence[Id], default: int) -> I64:
    """Whole numbers that may be written as strings; the default where one is none, or leaves 63 bits."""
    try:
        # NumPy would read texts too, and by other rules.
        column = int64(values if set(map(type, values)) <= {int} else None)
    except (OverflowError, TypeError):
        return int64([_integer(value, default) for value in values])
    good = (column > -_LIMIT) & (column < _LIMIT)
    return column if good.all() else int64(np.where(good, column, default))


def _integer(value: Id, default: int) -> int:
    if isinstance(value, str):
        value = int(value) if _WHOLE.fullmatch(value) else default
    return value if abs(value) < _LIMIT else default


def ids(values: Sequence[Id], absent: int) -> I64:
    """Device or stream ids; those that are no numbers are absent.

    A handle of 64 bits, which some writers have for a stream, is folded to what a column takes.
    """
    try:
        column = int64(values if set(map(type, values)) <= {int} else None)
    except (OverflowError, TypeError):
        column = int64([_identity(value, absent) for value in values])
    for place in np.flatnonzero((column <= -_LIMIT) | (column >= _LIMIT)).tolist():
        column[place] = _identity(values[place], absent)
    return column


def _identity(value: Id, absent: int) -> int:
    text = str(value)
    return absent if value == absent or _INTEGER.fullmatch(text) is None else folded(text)


def folded(digits: str) -> int:
    """A whole number as it is where a column takes it; else another, which hardly any other number becomes."""
    value = int(digits) if len(digits) <= _DIGITS + 1 else _LIMIT
    if abs(value) < _LIMIT:
        return value
    return int.from_bytes(hashlib.blake2b(digits.encode(), digest_size=8).digest(), "big") % _LIMIT


def _parse(joined: bytes) -> I64:
    return np.fromstring(joined, dtype=np.int64, sep=",")

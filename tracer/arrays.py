"""Columns of numbers: their types, and the few things that all rooms do with them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

I64: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
I32: TypeAlias = "np.ndarray[Any, np.dtype[np.int32]]"
I8: TypeAlias = "np.ndarray[Any, np.dtype[np.int8]]"
Bools: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"
F64: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Column: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"  # of integers of any width

# Numbers in so small a range are sorted out by a table, if it has no more than so many places for each of them.
SMALL_RANGE, PLACES = 1 << 22, 16


def int64(values: Any) -> I64:
    """A column of 64-bit integers."""
    return np.asarray(values, dtype=np.int64)


def int32(values: Any) -> I32:
    """A column of indices."""
    return np.asarray(values, dtype=np.int32)


def int8(values: Any) -> I8:
    """A column of small codes."""
    return np.asarray(values, dtype=np.int8)


def compact(values: Column) -> Column:
    """The same column, of a single number in the memory of that one: to be read, not written."""
    alike = len(values) > 0 and bool((values == values[0]).all())
    return repeated(values[:1].copy(), len(values)) if alike else values


def repeated(one: Column, count: int) -> Column:
    """A column of one number so many times, in its memory: to be read. (np.broadcast_to takes ten times as long.)"""
    column: Column = np.ndarray((count,), one.dtype, one, strides=(0,))
    column.flags.writeable = False
    return column


def is_ascending(values: Column) -> bool:
    """Whether no value is less than the one before it."""
    return bool((values[1:] >= values[:-1]).all())


def ascending(values: I64) -> I64:
    """The distinct values in ascending order. (np.unique would import numpy.ma.)"""
    values = np.sort(values)
    return values[np.append(True, values[1:] != values[:-1])] if len(values) else values


def parts(keys: Column, rows: int) -> Iterator[slice]:
    """So many rows of an ascending column at a time, and what more of them have the last one's key."""
    begin = 0
    while begin < len(keys):
        last = keys[min(begin + rows, len(keys)) - 1]
        end = int(np.searchsorted(keys, last, side="right"))
        yield slice(begin, end)
        begin = end


def rows_of_each(values: I64 | I32) -> Iterator[tuple[int, I64]]:
    """Each distinct value in ascending order, and the rows that have it in theirs: one sort, however many there are."""
    if is_ascending(values):
        begins = np.append(np.append(0, np.flatnonzero(values[1:] != values[:-1]) + 1), len(values))
        for begin, end in pairwise(begins.tolist() if len(values) else ()):
            yield int(values[begin]), np.arange(begin, end)
        return
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    begins = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    del ordered
    for rows in np.split(order, begins) if len(order) else ():
        yield int(values[rows[0]]), int64(rows)


def coded(values: I64 | I32) -> tuple[I64, I64]:
    """The distinct values in ascending order, and each value's place among them. (np.unique would import numpy.ma.)"""
    if not len(values):
        return int64([]), int64([])
    low, high = int(values.min()), int(values.max())
    if high - low < min(SMALL_RANGE, PLACES * len(values)):
        occurs = np.zeros(high - low + 1, dtype=np.bool_)
        occurs[values - low] = True
        place = np.cumsum(occurs, dtype=np.int32)  # half as large as it would be
        place -= 1
        return int64(np.flatnonzero(occurs) + low), int64(place[values - low])
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    begins = np.append(True, ordered[1:] != ordered[:-1])
    code = np.empty(len(values), dtype=np.int64)
    code[order] = np.cumsum(begins) - 1
    return int64(ordered[begins]), code

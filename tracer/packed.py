"""Columns of integers in as few bytes as hold them, and as wide as they were for whoever asks.

What lies together in a file lies close together: of some ten thousand ops the times are within seconds, the names among
a few hundred, and the time that each is charged with is below a millisecond. So a long column is kept in blocks, each
packed in the way that takes the least (`blocks.py`). `narrow_columns` makes a table keep its columns so: they are given
to it, and had of it, as they are without it, but for the memory that they take and for being made anew each time.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tracer.arrays import coded, int32, repeated
from tracer.blocks import Packed, Part, block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tracer.arrays import I32, I64, Bools, Column

    Kind = type[np.int8 | np.int32 | np.int64]

TableT = TypeVar("TableT")

# Rows of a block; what has fewer is kept as it is, since it takes next to nothing.
BLOCK = 1 << 15
# A column that is asked for more often is asked for in a loop, and from then on kept as wide as it was.
OFTEN = 1_000
# Rows are close together if so many times their number lie between the first and the last.
CLOSE = 2
_COLUMNS = ("I64", "I32", "I8")
_HALF = np.int64((1 << 32) - 1)


@dataclass(slots=True, eq=False)
class Narrow:
    """A column in blocks.

    Attributes:
        kind: of its integers, when they are as wide as they were.
        blocks: of BLOCK rows each, but for the last.
    """

    kind: np.dtype[Any]
    blocks: list[Part]
    _asked: int = 0
    _held: Column | None = None

    @classmethod
    def of(cls, column: Column) -> Narrow:
        """Pack a column."""
        return cls(column.dtype, [block(column[at : at + BLOCK]) for at in range(0, len(column), BLOCK)])

    def __len__(self) -> int:
        return BLOCK * (len(self.blocks) - 1) + self.blocks[-1].rows if self.blocks else 0

    def whole(self) -> Column:
        """The column as it was; of a single number in the memory of that one: to be read, not written."""
        first = self.blocks[0] if self.blocks else None
        if isinstance(first, Packed):
            if len(self.blocks) == 1 and first.beyond.dtype == self.kind and not first.low:
                return first.beyond
            if all(isinstance(one, Packed) and one.single and one.low == first.low for one in self.blocks):
                return repeated(_widened(self.kind, first, 1), len(self))
        if self._held is not None:
            return self._held
        column = np.empty(len(self), dtype=self.kind)
        for number, one in enumerate(self.blocks):
            one.into(column[BLOCK * number : BLOCK * (number + 1)])
        self._asked += 1
        if self._asked > OFTEN:
            self._held = column
            column.flags.writeable = False
        return column

    def part(self, begin: int, end: int) -> Column:
        """Some rows of it as they were."""
        end = max(begin, min(end, len(self)))
        column = np.empty(end - begin, dtype=self.kind)
        for number in range(begin // BLOCK, -(-end // BLOCK)):
            at = BLOCK * number
            low, high = max(begin, at), min(end, at + BLOCK)
            self.blocks[number].among(low - at, high - at, column[low - begin : high - begin])
        return column

    def pieces(self) -> Iterator[Column]:
        """The column as it was, a block at a time."""
        return (_widened(self.kind, one, one.rows) for one in self.blocks)


def _widened(kind: np.dtype[Any], of: Part, rows: int) -> Column:
    """The first rows of a block."""
    column = np.empty(rows, dtype=kind)
    of.among(0, rows, column)
    return column


class Blocks:
    """Takes in pieces of a column, of any lengths, and packs them as they come.

    Args:
        kind: of its integers.
    """

    def __init__(self, kind: Kind) -> None:
        self._rows, self._filled = np.empty(BLOCK, dtype=kind), 0
        self._full: list[Part] = []

    def add(self, piece: Column | Packed) -> None:
        """Add what comes next."""
        count = piece.rows if isinstance(piece, Packed) else len(piece)
        if count > BLOCK - self._filled:
            whole = piece.unpacked() if isinstance(piece, Packed) else piece
            taken = BLOCK - self._filled
            self.add(whole[:taken])
            self.add(whole[taken:])
            return
        begin, self._filled = self._filled, self._filled + count
        if isinstance(piece, Packed):
            piece.into(self._rows[begin : self._filled])
        else:
            self._rows[begin : self._filled] = piece
        if self._filled == BLOCK:
            self._full.append(block(self._rows))
            self._filled = 0

    def column(self) -> Narrow:
        """All that was added; what is short as it is."""
        rest = self._rows[: self._filled]
        if not self._full:
            return Narrow(rest.dtype, [Packed(0, rest.copy())] if len(rest) else [])
        return Narrow(rest.dtype, [*self._full, block(rest)] if len(rest) else self._full)


class Scattered:
    """Takes in rows of a column in any order, of numbers from 0 on, of which hardly any needs more than 32 bits.

    Args:
        count: its rows; 0 until they come.
    """

    def __init__(self, count: int) -> None:
        self._near = np.zeros(count, dtype=np.uint32)
        self._far: list[tuple[Column, Column]] = []

    def put(self, rows: Column, numbers: I64) -> None:
        """Set these rows, each of which comes once."""
        self._near[rows] = numbers & _HALF
        far = np.flatnonzero(numbers > _HALF)
        if len(far):
            self._far.append((rows[far], numbers[far]))

    def part(self, rows: slice) -> I64:
        """Some rows that follow one another."""
        column = self._near[rows].astype(np.int64)
        for places, numbers in self._far:
            here = (places >= rows.start) & (places < rows.start + len(column))
            column[places[here] - rows.start] = numbers[here]
        return column

    def column(self) -> Narrow | I64:
        """All of it; what is short as it is."""
        if len(self._near) <= BLOCK:
            return self.part(slice(0, len(self._near)))
        blocks = Blocks(np.int64)
        for at in range(0, len(self._near), BLOCK):
            blocks.add(self.part(slice(at, at + BLOCK)))
        return blocks.column()


def joined(parts: Iterable[Packed], kind: Kind) -> Narrow:
    """These columns behind each other, as numbers of this kind."""
    blocks = Blocks(kind)
    for part in parts:
        blocks.add(part)
    return blocks.column()


def narrow(column: Any) -> Any:
    """What a table keeps of a column; what is short, or no column, as it is."""
    if isinstance(column, Narrow):
        return column if len(column) > BLOCK else column.whole()
    long = isinstance(column, np.ndarray) and column.ndim == 1 and len(column) > BLOCK and column.dtype.kind == "i"
    return Narrow.of(column) if long else column


def widened(column: Any) -> Any:
    """What `narrow` was given."""
    return column.whole() if isinstance(column, Narrow) else column


class _Field:
    """A column of a table: packed when it is given, unpacked when it is asked for."""

    def __init__(self, slot: Any) -> None:
        self._slot = slot

    def __get__(self, table: object, owner: type | None = None) -> Any:
        if table is None:
            return self
        column = self._slot.__get__(table, owner)
        return column.whole() if isinstance(column, Narrow) else column  # as `widened`, but asked for very often

    def __set__(self, table: object, column: object) -> None:
        self._slot.__set__(table, narrow(column))

    def kept(self, table: object) -> Any:
        """What is kept of it."""
        return self._slot.__get__(table, type(table))


def narrow_columns(table: type[TableT]) -> type[TableT]:
    """Have a dataclass with slots keep its columns packed. What it hands out is not to be written into."""
    for field in fields(table):  # type: ignore[arg-type]
        if str(field.type).split(" | ")[0] in _COLUMNS:
            setattr(table, field.name, _Field(table.__dict__[field.name]))
    return table


def kept(table: object, name: str) -> Any:
    """A column of a table as it is kept, to be given to another table in no time."""
    found = type(table).__dict__[name]
    return found.kept(table) if isinstance(found, _Field) else getattr(table, name)


def replaced(table: TableT, **columns: Any) -> TableT:
    """`dataclasses.replace` of a table whose other columns stay packed."""
    stay = {field.name: kept(table, field.name) for field in fields(table)}  # type: ignore[arg-type]
    return type(table)(**stay | columns)


def chosen(table: TableT, rows: I64 | Bools) -> TableT:
    """Some rows of a table all of whose fields are columns."""
    return type(table)(**{one.name: narrow(getattr(table, one.name)[rows]) for one in fields(table)})  # type: ignore[arg-type]


def some(table: object, name: str, rows: Column | slice) -> Any:
    """Some rows of a column of a table; of those that lie close together without all around them."""
    column = kept(table, name)
    if not isinstance(column, Narrow):
        return column[rows]
    if isinstance(rows, slice):
        begin, end, _ = rows.indices(len(column))
        return column.part(begin, end) if rows != slice(None) else column.whole()
    if len(rows) and (low := int(rows.min())) >= 0 and (high := int(rows.max())) - low < CLOSE * len(rows):
        return column.part(low, high + 1)[rows - low]
    return column.whole()[rows]


def pieces(table: object, name: str) -> Iterator[Column]:
    """A column of a table, some ten thousand rows at a time."""
    column = kept(table, name)
    if isinstance(column, Narrow):
        return column.pieces()
    return (column[at : at + BLOCK] for at in range(0, len(column), BLOCK))


def picked(table: TableT, test: Callable[..., Bools], asked: Sequence[str]) -> TableT:
    """The rows of a table of columns of which something is true, without any column of all rows.

    Args:
        table: all of whose fields are columns.
        test: of some columns of some rows, which rows.
        asked: the names of those columns.
    """
    names = [one.name for one in fields(table)]  # type: ignore[arg-type]
    found: list[list[Column]] = [[kept(table, name)[:0]] if not len(kept(table, name)) else [] for name in names]
    for piece in zip(*(pieces(table, name) for name in names), strict=True):
        rows = test(*(piece[names.index(name)] for name in asked))
        for columns, column in zip(found, piece, strict=True):
            columns.append(column[rows])
    return type(table)(**{name: np.concatenate(columns) for name, columns in zip(names, found, strict=True)})


def rows_of_pairs(table: object, one: str, two: str) -> list[I32]:
    """The rows of each pair of numbers in two columns of a table, in their order; by the first, then the second."""
    both = [kept(table, name) for name in (one, two)]
    if all(isinstance(column, np.ndarray) and column.strides == (0,) for column in both):
        return [np.arange(len(both[0]), dtype=np.int32)] if len(both[0]) else []
    places: list[I32] = []
    numbers: dict[tuple[int, int], int] = {}
    for first, second in zip(pieces(table, one), pieces(table, two), strict=True):
        (firsts, place), (seconds, other) = coded(first), coded(second)
        pairs = [numbers.setdefault((a, b), len(numbers)) for a in firsts.tolist() for b in seconds.tolist()]
        places.append(int32(pairs)[place * len(seconds) + other])
    place = np.concatenate([int32([]), *places])
    found = (int32(np.flatnonzero(place == number)) for _, number in sorted(numbers.items()))
    return [rows for rows in found if len(rows)]


def minus(table: object, name: str, other: str) -> I64:
    """How much one column of a table is beyond another, of which neither need be as wide as it was at once."""
    found, end = np.empty(len(kept(table, name)), dtype=np.int64), 0
    for one, two in zip(pieces(table, name), pieces(table, other), strict=True):
        begin, end = end, end + len(one)
        np.subtract(one, two, out=found[begin:end])
    return found


def plus(table: object, *names: str) -> I64:
    """Columns of a table added up, in the same way."""
    found, end = np.zeros(len(kept(table, names[0])), dtype=np.int64), 0
    for parts in zip(*(pieces(table, name) for name in names), strict=True):
        begin, end = end, end + len(parts[0])
        for part in parts:
            found[begin:end] += part
    return found

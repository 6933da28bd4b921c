"""Columns of integers, and names, out of a SQLite file that nobody vouches for.

Identifiers cannot be parameters of a statement: those put into one are names that the file has, quoted.
"""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tracer.arrays import int64
from tracer.document.errors import InputError
from tracer.trace.columns import MISSING
from tracer.trace.names import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from tracer.arrays import I64

RowT = TypeVar("RowT", bound=tuple[Any, ...])
# Rows that SQLite joins into one text at a time: enough to make Python's part small, little enough to stay in cache.
CHUNK_ROWS = 16384
# Some tables count their rows from 0 on.
FIRST_ROW = 0
# A row takes more bytes than this, its place in the page's list of rows included.
LEAST_ROW_BYTES = 4
# UTF-16, which a database may be in, becomes up to one and a half times as long in UTF-8.
TIMES_FILE = 2
# Of texts that SQLite makes: at least what it joins of a chunk's numbers, at most what it can.
LEAST_LENGTH, LONGEST_LENGTH = 4 << 20, 1_000_000_000
# What is said where SQLite itself cannot.
NO_WORDS = {UnicodeDecodeError: "its own words are no text", MemoryError: "it asks for more memory than there is"}
# In the header of a database that keeps a write-ahead log.
WRITE_AHEAD = b"\x02\x02"


class Database(AbstractContextManager["Database"]):
    """A SQLite file opened for reading only, as if nothing could change it.

    Attributes:
        tables: names of each table's columns.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        with self._refusing_damage():
            if _being_written(path):
                raise InputError(f"{name}: another program is writing it; try again when that is done")
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
            # Functions that a hostile schema names must not run.
            self._connection.execute("PRAGMA trusted_schema = OFF")
            # Names in real files are not always UTF-8.
            self._connection.text_factory = bytes
            # Rows may share their texts' pages, and a chain of pages may be a ring: no honest text, and no honest
            # table, is larger than its file.
            self._size_bytes = path.stat().st_size
            longest = min(max(LEAST_LENGTH, TIMES_FILE * self._size_bytes), LONGEST_LENGTH)
            self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
            self.tables = self._probe()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def _probe(self) -> dict[str, frozenset[str]]:
        """Plain tables only: a view or a virtual table could be a program."""
        rows = self._connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        )
        names = [_text(name) for (name,) in rows]
        return {
            name: frozenset(
                _text(column)
                for (column,) in self._connection.execute("SELECT name FROM pragma_table_info(?)", (name,))
            )
            for name in names
        }

    def last_row(self, table: str) -> int:
        """The highest row id of a table, which is about its number of rows in an export; 0 without the table.

        Raises:
            InputError: the file is damaged.
        """
        if table not in self.tables:
            return 0
        with self._refusing_damage():
            found = self._connection.execute(f"SELECT max(rowid) FROM {_quoted(table)}").fetchone()[0]  # noqa: S608
        return found or 0

    def integers(self, table: str, columns: Sequence[str], *, share: int = 0, shares: int = 1) -> list[I64]:
        """Whole columns of a table; what a row or the whole table lacks is MISSING.

        SQLite joins each column's numbers into text and NumPy parses it: a fraction of the time that rows of Python
        objects take.

        Args:
            table: its name.
            columns: their names.
            share, shares: read only this one of so many parts of about the same size.

        Raises:
            InputError: the file is damaged.
        """
        present = [column for column in columns if column in self.tables.get(table, ())]
        last = self.last_row(table) if present else FIRST_ROW - 1
        after = last * share // shares if share else FIRST_ROW - 1
        chunks, rows = [], 0
        with self._refusing_damage():
            for chunk in self._chunks(table, present, after, last * (share + 1) // shares):
                chunks.append(chunk)
                rows += len(chunk[0])
                if rows * LEAST_ROW_BYTES > self._size_bytes:
                    raise sqlite3.DatabaseError(f"{table} has more rows than the file has room for")
        joined = [int64(np.concatenate(parts)) for parts in zip(*chunks, strict=True)] or [int64([]) for _ in present]
        found = dict(zip(present, joined, strict=True))
        rows = len(joined[0]) if joined else 0
        return [found.get(column, np.full(rows, MISSING, dtype=np.int64)) for column in columns]

    def _chunks(self, table: str, columns: Sequence[str], after: int, upto: int) -> Iterator[list[I64]]:
        part = f"FROM {_quoted(table)} WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT ?"
        names = "".join(f", {_quoted(column)}" for column in columns)
        whole_numbers = ", ".join(map(_whole_number, columns))
        joined = "".join(f", group_concat({_quoted(column)})" for column in columns)
        query = f"SELECT count(*), max(place){joined} FROM (SELECT rowid AS place{names} {part})"  # noqa: S608
        while after < upto:
            count, last, *texts = self._connection.execute(query, (after, upto, CHUNK_ROWS)).fetchone()
            if not count:
                return
            found = [_parsed(text) for text in texts]
            # Values that are missing or no integers leave a different number of them.
            if any(len(column) != count for column in found):
                found = list(self._one_by_one(f"{whole_numbers} {part}", (after, upto, CHUNK_ROWS)))
            yield found
            after = last

    def _one_by_one(self, part: str, values: tuple[int, ...]) -> Iterator[I64]:
        rows = self._connection.execute(f"SELECT {part}", values).fetchall()
        for column in zip(*rows, strict=True):
            yield int64([value if isinstance(value, int) else MISSING for value in column])

    def strings(self, table: str, key: str, value: str) -> dict[int, str | None]:
        """The texts of one column by the integers of another.

        Raises:
            InputError: the file is damaged.
        """
        if not {key, value} <= self.tables.get(table, frozenset()):
            return {}
        part = f"CAST({_quoted(key)} AS INTEGER), CAST({_quoted(value)} AS TEXT) FROM {_quoted(table)}"
        with self._refusing_damage():
            found = self._connection.execute(f"SELECT {part}")
            return {number: None if text is None else _text(text) for number, text in self._counted(found)}

    def texts(self, table: str, column: str, rows: int | None = None) -> list[str | None]:
        """A whole column of texts in the table's order; empty without it.

        Args:
            table: its name.
            column: likewise.
            rows: how many another reading of the table found.

        Raises:
            InputError: the file is damaged; then it may also have other rows each time.
        """
        if column not in self.tables.get(table, ()):
            return []
        query = f"SELECT CAST({_quoted(column)} AS TEXT) FROM {_quoted(table)} WHERE rowid >= ? ORDER BY rowid"  # noqa: S608
        with self._refusing_damage():
            rows_found = self._counted(self._connection.execute(query, (FIRST_ROW,)))
            found = [None if text is None else _text(text) for (text,) in rows_found]
            if rows is not None and len(found) != rows:
                raise sqlite3.DatabaseError(f"{table} has {len(found):,} rows, and had {rows:,} before")
        return found

    def _counted(self, rows: Iterable[RowT]) -> Iterator[RowT]:
        """The rows, as long as their texts, the last of their values, and they themselves have room in the file."""
        texts = 0
        for count, row in enumerate(rows):
            texts += len(row[-1] or b"")
            if texts > TIMES_FILE * self._size_bytes or count * LEAST_ROW_BYTES > self._size_bytes:
                raise sqlite3.DatabaseError("its rows share their texts, which are longer than the file")
            yield row

    @contextmanager
    def _refusing_damage(self) -> Iterator[None]:
        """Turn SQLite's errors into ours; their words may come from the file, and be no text at all."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError, MemoryError) as error:
            reason = cut(str(error)) if isinstance(error, sqlite3.Error) else NO_WORDS[type(error)]
            raise InputError(
                f"{self._name}: damaged, or no SQLite file ({' '.join(reason.split())}); export the report again"
            ) from None


def _being_written(path: Path) -> bool:
    """Whether another program is changing the file: what follows takes no lock, and would read half-written pages."""
    if path.with_name(f"{path.name}-wal").exists():
        return True
    with path.open("rb") as file:
        if file.read(20)[18:] == WRITE_AHEAD:
            return False  # whole without its log; opened as usual, SQLite would put files beside it
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    finally:
        connection.close()
    return False


def _parsed(text: bytes | None) -> I64:
    """Integers with commas between them; fewer than there are values if one is no integer."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # older NumPy stops there and warns, newer complains
            return int64(np.fromstring(text or b"", dtype=np.int64, sep=","))
    except ValueError:
        return int64([])


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


def _whole_number(column: str) -> str:
    """A column's integers, NULL for what is none: a text in its place is not even read."""
    name = _quoted(column)
    return f"CASE typeof({name}) WHEN 'integer' THEN {name} END"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

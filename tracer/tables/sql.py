"""SQL over the tables, by DuckDB: in memory, and with nothing but the tables in reach."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from tracer.document.errors import UsageError
from tracer.tables.optional import require
from tracer.tables.table import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_MEMORY = "2GB"
# A query may only read; SQL has more verbs than those that write.
_READS = ("SELECT", "EXPLAIN")


def query(sql: str, table: Callable[[list[str]], dict[str, Any]], *, names: Iterable[str] | None = None) -> Any:
    """The answer as a `pyarrow.Table`.

    The database is in memory and has views of the tables. It reaches no file, network, extension or setting, and takes
    one statement, which must be a query.

    Args:
        sql: one statement.
        table: makes the tables of these names, each something that DuckDB scans.
        names: of all tables; those of a trace if None.

    Raises:
        MissingError: DuckDB is not installed.
        UsageError: the statement is none, is more than one, is no query, or names what there is not.
        KeyboardInterrupt: while it was at work.
    """
    duckdb = require("duckdb", "a query")
    known = list(tables() if names is None else names)
    with duckdb.connect(":memory:", config={"memory_limit": MOST_MEMORY, "threads": 2}) as database:
        try:
            _check(database.extract_statements(sql))
            for name, rows in table(_named(sql, known)).items():
                database.register(name, rows)
            _close(database)
            return _answered(database, sql)
        except duckdb.Error as error:
            raise UsageError(f"query: {_first_lines(error, known)}") from None


def _answered(database: Any, sql: str) -> Any:
    """The answer, found by a thread: DuckDB hears of signals between its tasks alone, and one may take minutes."""
    ended: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def ask() -> None:
        try:
            ended.put((database.sql(sql).to_arrow_table(), None))
        except BaseException as error:
            ended.put((None, error))

    Thread(target=ask).start()
    try:
        answer, error = ended.get()
    except KeyboardInterrupt:
        database.interrupt()
        ended.get()
        raise
    if error is not None:
        raise error
    return answer


def _check(statements: list[Any]) -> None:
    """Take one query and nothing else.

    Raises:
        UsageError: there is not one statement, or it is no query.
    """
    if len(statements) != 1:
        raise UsageError(f"query: {len(statements)} statements; give one")
    kind = statements[0].type.name
    if kind not in _READS:
        raise UsageError(f"query: {kind.lower()} is no query; the tables are read only")


def _named(sql: str, known: list[str]) -> list[str]:
    """The tables that a statement may mean: making all of them takes longer than most questions."""
    text = sql.lower()
    return [name for name in known if name in text]


def _close(database: Any) -> None:
    """From here on nothing but the tables is in reach, and no statement may change that."""
    for setting in (
        "enable_external_access = false",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        "python_enable_replacements = false",
        "lock_configuration = true",
    ):
        database.execute(f"SET {setting}")


def _first_lines(error: Exception, names: list[str]) -> str:
    """What the database says, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    known = ", ".join(names)
    said = " ".join(lines[:2])[:600]
    return f"{said}; the tables are {known}" if "does not exist" in said else said

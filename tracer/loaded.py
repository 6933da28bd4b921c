"""A trace in Python: its summary, and its rows as data frames.

import tracer

run = tracer.load("run.json")
run.stages, run.tokens, run.ops      # data frames
run.query("select name, sum(time_ns) from ops group by 1 order by 2 desc limit 5")
run.summary.latency.tpot_ns          # the document, as --format json writes it
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tracer.choices import Choices
from tracer.document.errors import MissingError, UsageError
from tracer.summarize import charge, frames_of, read, summarize_charged
from tracer.tables.arrow import arrow_tables
from tracer.tables.optional import INSTALL
from tracer.tables.sql import query
from tracer.tables.table import tables
from tracer.trace.columns import Want
from tracer.trace.source import Source
from tracer.trace.unread import refuse_unread

if TYPE_CHECKING:
    from pathlib import Path

    from tracer.document.summary import Summary
    from tracer.summarize import Charged

# The libraries that frames can be of, in the order in which they are looked for.
PANDAS, POLARS, ARROW = "pandas", "polars", "arrow"
LIBRARIES = {PANDAS: "pandas", POLARS: "polars", ARROW: "pyarrow"}


class Run:
    """A trace that was read: `summary`, and each of its tables as an attribute (`stages`, `tokens`, `ops`, ...).

    Attributes:
        summary: the document.
    """

    def __init__(self, charged: Charged, summary: Summary, library: str) -> None:
        self.summary = summary
        self._charged = charged
        self._library = library
        self._made: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in tables():
            raise AttributeError(f"a run has no {name!r}; it has summary, {', '.join(tables())}")
        return _frame(self.table(name), self._library)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *tables()]

    def __repr__(self) -> str:
        trace = self.summary.trace
        return f"<tracer run {trace.path!r}: {trace.events:,} events, stages by {trace.markers}>"

    def _repr_html_(self) -> str:
        """The report, as a notebook shows it."""
        from reports.page.notebook import fragment

        return fragment(self.summary)

    def table(self, name: str) -> Any:
        """One table as a `pyarrow.Table`; its fields' metadata says what the columns mean.

        Raises:
            InputError: the work of the trace is not read, so that no table of it says anything.
            MissingError: pyarrow is not installed.
            UsageError: there is no such table.
        """
        refuse_unread(self._charged.trace)
        if name not in tables():
            raise UsageError(f"{name}: no such table; there are {', '.join(tables())}")
        if name not in self._made:
            self._made |= arrow_tables(self._charged, self.summary, [name])
        return self._made[name]

    def query(self, sql: str) -> Any:
        """Ask the tables in SQL; the answer is a data frame.

        Raises:
            MissingError: DuckDB is not installed.
            UsageError: it is not one query, or not of what there is.
        """
        return _frame(query(sql, lambda names: {name: self.table(name) for name in names}), self._library)


def load(path: str | Path, choices: Choices | None = None, *, frames: str | None = None) -> Run:
    """Read a trace and summarise it.

    Args:
        path: a trace, as for `tracer summarize`.
        choices: as its options are.
        frames: the library of the data frames: "pandas", "polars" or "arrow"; the first of them that is installed if
            None.

    Raises:
        InputError: the file is no trace.
        MissingError: the library is not installed.
        UsageError: `frames` is none of them.
    """
    library = _library(frames)
    choices = choices or Choices()
    with Source(path, choices.limits) as source:
        trace = read(source, choices, also=Want.LAUNCHED)
        charged = charge(trace, choices)
        return Run(charged, summarize_charged(charged, choices, frames=frames_of(source, trace, choices)), library)


def _library(wanted: str | None) -> str:
    if wanted is not None and wanted not in LIBRARIES:
        raise UsageError(f"frames={wanted!r}: one of {', '.join(LIBRARIES)}")
    names = LIBRARIES if wanted is None else (wanted,)
    for name in names:
        if find_spec(LIBRARIES[name]):
            return name
    if wanted is not None:
        raise MissingError(f"{wanted} is not installed")
    raise MissingError(f"data frames take pandas or Polars and pyarrow; {INSTALL}")


def _frame(table: Any, library: str) -> Any:
    """A table as a data frame of a library; whole numbers of which some are unknown stay whole numbers."""
    if library == PANDAS:
        import pandas as pd
        import pyarrow as pa

        return table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    if library == POLARS:
        import polars as pl

        return pl.from_arrow(table)
    return table

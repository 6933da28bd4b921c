"""The tables in Arrow's memory, which Parquet, DuckDB, pandas and Polars all read without a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.tables.optional import require
from tracer.tables.table import FLAG, FLOAT, INTEGER, TEXT, Known, Named, tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.document.summary import Summary
    from tracer.summarize import Charged


def arrow_tables(charged: Charged | None, summary: Summary, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Each table as a `pyarrow.Table`, with what its columns mean as metadata of its fields.

    Args:
        charged: the trace with its stages and its work; None where only tables that the summary has are asked for.
        summary: made of the same.
        names: of the tables; all if None.

    Raises:
        MissingError: pyarrow is not installed.
    """
    require("pyarrow", "a table")
    return {name: _arrow(name, charged, summary) for name in (tables() if names is None else names)}


def _arrow(name: str, charged: Charged | None, summary: Summary) -> Any:
    import pyarrow as pa

    table = tables()[name]
    rows = table.rows(charged, summary)
    types = {INTEGER: pa.int64(), FLOAT: pa.float64(), FLAG: pa.bool_(), TEXT: pa.string()}
    arrays = [_array(rows[column.name], types[column.type]) for column in table.columns]
    fields = [
        pa.field(column.name, array.type, metadata={"meaning": column.meaning})
        for column, array in zip(table.columns, arrays, strict=True)
    ]
    about = {"meaning": table.meaning, "key": ", ".join(table.key)}
    return pa.table(arrays, schema=pa.schema(fields, metadata=about))


def _array(values: Any, wanted: Any) -> Any:
    """One column; texts of which few are different become a dictionary."""
    import pyarrow as pa

    if isinstance(values, Named):
        return _dictionary(values)
    if isinstance(values, Known):
        return pa.array(values.values, wanted, mask=~values.known)
    if isinstance(values, np.ndarray):
        return pa.array(values, wanted)
    return pa.array([storable(value) if isinstance(value, str) else value for value in values], wanted)


def _dictionary(named: Named) -> Any:
    """Only the texts that occur: a trace's names are many more than a table has."""
    import pyarrow as pa

    known = named.index >= 0
    used, place = np.unique(named.index[known], return_inverse=True)
    code_of: dict[str, int] = {}  # several numbers may stand for one text
    codes = [code_of.setdefault(storable(named.strings[number]), len(code_of)) for number in used.tolist()]
    index = np.full(len(named.index), -1, dtype=np.int32)
    index[known] = np.asarray(codes, dtype=np.int32)[place]
    return pa.DictionaryArray.from_arrays(
        pa.array(index, pa.int32(), mask=index < 0), pa.array(list(code_of), pa.string())
    )


def storable(text: str) -> str:
    """Text that Arrow takes: halves of pairs, which stand for bytes that are no text, become question marks."""
    return text.encode("utf-8", "replace").decode()

"""The tables in files, one each, in a folder."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tracer.tables.optional import require

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO


class FileFormat(StrEnum):
    """How a table is written."""

    PARQUET = "parquet"
    CSV = "csv"
    ARROW = "arrow"


def write_table(table: Any, file: IO[bytes], file_format: FileFormat) -> None:
    """Write a `pyarrow.Table` into an open file.

    Raises:
        MissingError: pyarrow is not installed.
    """
    if file_format is FileFormat.PARQUET:
        require("pyarrow.parquet", "a Parquet file").write_table(table, file, compression="zstd")
    elif file_format is FileFormat.CSV:
        require("pyarrow.csv", "a CSV file").write_csv(_plain(table), file)
    else:
        ipc = require("pyarrow.ipc", "an Arrow file")
        with ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)


def _plain(table: Any) -> Any:
    """Without dictionaries, which CSV has no word for."""
    import pyarrow as pa

    fields = [
        pa.field(field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def file_of(folder: Path, name: str, file_format: FileFormat) -> Path:
    """Where a table lies."""
    return folder / f"{name}.{file_format.value}"

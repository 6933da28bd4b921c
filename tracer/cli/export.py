"""`tracer export`: a trace as tables that other tools take."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from tracer.cli.cautions import caution
from tracer.cli.options import Force, Jobs, NoLimit
from tracer.cli.streams import tell
from tracer.document.errors import InputError, UsageError
from tracer.tables.files import FileFormat

if TYPE_CHECKING:
    from tracer.loaded import Run


def command(
    trace: Annotated[Path, typer.Argument(help="A trace, as for summarize.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The folder of the tables; made if there is none.", show_default=False),
    ],
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="Parquet, CSV or Arrow's own files.")
    ] = FileFormat.PARQUET,
    table: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this one. Repeatable. [default: all of them]"),
    ] = None,
    force: Force = False,
    jobs: Jobs = None,
    no_limit: NoLimit = False,
) -> None:
    """Write a trace as tables: ops, launches, calls, ranges, stages, tokens, requests, memory, footprint, energy and
    findings.

    One file each; docs/tables.md says what each column means. Times are integer nanoseconds on the trace's own clock.
    """
    from tracer.tables.files import file_of
    from tracer.tables.table import tables

    names = table or list(tables())
    unknown = [name for name in names if name not in tables()]
    if unknown:
        raise UsageError(f"--table {unknown[0]}: no such table; there are {', '.join(tables())}")
    files = {name: file_of(output, name, file_format) for name in names}
    _check(output, list(files.values()), force=force)
    from tracer.choices import Choices
    from tracer.loaded import ARROW, load
    from tracer.tables.optional import require
    from tracer.trace.limits import limits

    require("pyarrow", "export")
    run = load(trace, Choices(jobs=jobs, limits=limits(lifted=no_limit)), frames=ARROW)
    _write(run, files, output, file_format)


def _write(run: Run, files: dict[str, Path], folder: Path, file_format: FileFormat) -> None:
    """All tables or none, and on stderr how many rows each has."""
    from tracer.recording.write.output import write_together
    from tracer.tables.files import write_table

    counts = {}

    def write(name: str, file: IO[bytes]) -> None:
        rows = run.table(name)
        counts[files[name]] = rows.num_rows
        write_table(rows, file, file_format)

    try:
        write_together(folder, {path.name: partial(write, name) for name, path in files.items()})
    except OSError as error:
        raise InputError(f"--output {folder}: {error.strerror or error}") from None
    caution(run.summary)
    for path, count in counts.items():
        tell(f"{path}: {count:,} row{'' if count == 1 else 's'}")


def _check(folder: Path, files: list[Path], *, force: bool) -> None:
    """Refuse what could not be written, before the trace is read.

    Raises:
        UsageError: it is no folder, its own folder is missing or may not be written to, or a table exists while `force`
            is off.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {folder}: is no folder")
    parent = folder if folder.is_dir() else folder.parent
    if not parent.is_dir():
        raise UsageError(f"--output {folder}: no such folder as {parent}")
    if not os.access(parent, os.W_OK):
        raise UsageError(f"--output {folder}: {parent} is not writable")
    there = [path for path in files if path.exists()]
    if there and not force:
        raise UsageError(f"--output {folder}: {there[0].name} exists already; --force overwrites it")

"""From a path to a `Trace`: the first bytes say what a file is, never its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracer.trace.chrome.reader import read_chrome
from tracer.trace.source import SQLITE, Source

if TYPE_CHECKING:
    from tracer.trace.columns import Trace, Want


def read_trace(path: str | Path, want: Want, *, jobs: int | None = None, strict: bool = False) -> Trace:
    """Read a trace file.

    Args:
        path: of the file; "-" is standard input.
        want: what the analysis needs.
        jobs: processes to read with; by the file's size if None.
        strict: refuse a torn file instead of reading it up to where it is torn.

    Raises:
        InputError: it is missing, damaged, or no trace.
    """
    with Source(path) as source:
        return read_source(source, want, jobs=jobs, strict=strict)


def read_source(source: Source, want: Want, *, jobs: int | None = None, strict: bool = False) -> Trace:
    """Read an open trace file; it may be read again.

    Raises:
        InputError: as `read_trace`.
    """
    if source.magic.startswith(SQLITE):
        from tracer.trace.nsight.reader import read_nsight

        return read_nsight(source.path, source.name, jobs=jobs)
    return read_chrome(source, want, jobs=jobs, strict=strict)

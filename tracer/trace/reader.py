"""From a path to a `Trace`: the first bytes say what a file is, never its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.trace.chrome.reader import read_chrome
from tracer.trace.columns import Want
from tracer.trace.limits import ADVICE, DEFAULT, Limits, OverLimitError
from tracer.trace.memory import give_back_freed_pages
from tracer.trace.source import NSYS_REPORT, QDSTRM, SQLITE, Source

if TYPE_CHECKING:
    from pathlib import Path

    from tracer.trace.columns import Trace
    from tracer.trace.moments import Moments


def read_trace(
    path: str | Path,
    want: Want,
    *,
    jobs: int | None = None,
    strict: bool = False,
    nsys: Path | None = None,
    limits: Limits = DEFAULT,
) -> Trace:
    """Read a trace file.

    Args:
        path: of the file; "-" is standard input.
        want: what the analysis needs.
        jobs: processes to read with; by the file's size if None.
        strict: refuse a torn file instead of reading it up to where it is torn.
        nsys: the program that exports Nsight reports, or its folder; the one on PATH if None.
        limits: how much the file may ask for.

    Raises:
        InputError: it is missing, damaged, or no trace.
        MissingError: it takes nsys to read it, and there is none.
    """
    with Source(path, limits) as source:
        return read_source(source, want, jobs=jobs, strict=strict, nsys=nsys)


def read_source(
    source: Source,
    want: Want,
    *,
    jobs: int | None = None,
    strict: bool = False,
    nsys: Path | None = None,
    at: Moments | None = None,
) -> Trace:
    """Read an open trace file; it may be read again.

    Args:
        source, want, jobs, strict, nsys: as for `read_trace`.
        at: of Python frames those alone are needed that were open at one of these times.

    Raises:
        InputError, MissingError: as `read_trace`.
    """
    if source.magic.startswith(QDSTRM):
        raise InputError(
            f"{source.name}: a raw Nsight recording; QdstrmImporter -i FILE makes a report (.nsys-rep) of it"
        )
    if not source.magic.startswith((SQLITE, NSYS_REPORT)):
        try:
            trace = read_chrome(source, want, jobs=jobs, strict=strict, at=at)
            give_back_freed_pages(trace.events)  # what reading alone has held
            return trace
        except OverLimitError as error:
            raise InputError(f"{source.name}: {error}; {ADVICE}") from None
    from tracer.trace.nsight.reader import read_export, read_report

    launched = bool(want & Want.LAUNCHED)
    if source.magic.startswith(SQLITE):
        return read_export(source.path, source.name, jobs=jobs, launched=launched)
    return read_report(source.path, source.name, nsys=nsys, jobs=jobs, launched=launched)

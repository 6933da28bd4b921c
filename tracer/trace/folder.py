"""Choosing a trace in a profiler's output folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracer.document.errors import InputError
from tracer.trace.source import Source

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".json", ".json.gz", ".json.zst", ".json.zip")
EXPORTS = (".sqlite", ".nsys-rep")
TRACES = (*SUFFIXES, *EXPORTS)
_NAMED = re.compile(r"rank[-_]?0*(\d+)", re.IGNORECASE)
_MERGED = re.compile(r"\[rank (\d{1,5})\] ", re.ASCII)
_STATED = re.compile(rb'"distributedInfo"\s*:\s*\{[^{}]*?"rank"\s*:\s*(\d{1,9})\b')
ENDS_BYTES = 1 << 20
# More are a date or a process.
MOST_DIGITS = 4


def choose_trace(folder: Path, rank: int | None = None) -> tuple[Path, int]:
    """The newest trace in a folder, of one rank if asked for, and how many there were to choose from.

    Raises:
        InputError: there is none.
    """
    try:
        files = [path for path in folder.iterdir() if path.name.endswith(SUFFIXES) and path.is_file()]
        if rank is not None:
            files = [path for path in files if _rank(path) == rank]
        files.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    if not files:
        wanted = "no trace" if rank is None else f"no trace of rank {rank}"
        exports = "" if rank is not None else _of_nsight(folder)
        raise InputError(f"{folder}: {wanted} ({', '.join(SUFFIXES)}) in this folder{exports}")
    return files[-1], len(files)


def _of_nsight(folder: Path) -> str:
    """What to do with a folder that holds Nsight's files instead."""
    found = sorted(path.name for path in folder.iterdir() if path.name.endswith(EXPORTS))
    if not found:
        return ""
    return f"; name one of Nsight's ({found[0]}), or, of ranks of one run, tracer ranks {folder}"


def several_ranks(folder: Path) -> bool:
    """Whether the names of a folder's traces are of several ranks."""
    named = {named_rank(path) for path in folder.iterdir() if path.name.endswith(SUFFIXES)}
    return len(named - {None}) > 1


def named_rank(path: Path) -> int | None:
    """The rank that a file's name says."""
    match = _NAMED.search(path.name)
    return int(match[1]) if match is not None and len(match[1]) <= MOST_DIGITS else None


def merged_rank(process: str) -> int | None:
    """The rank that a process's name says in a file of several ranks: 3 of `[rank 3] 830`."""
    match = _MERGED.match(process)
    return None if match is None else int(match[1])


def _rank(path: Path) -> int | None:
    """The rank that a file's name, or else its metadata, says."""
    if (match := _NAMED.search(path.name)) is not None:
        return int(match[1])
    with Source(path) as source:
        start = end = b""
        for block in source.blocks():
            start = start if len(start) >= ENDS_BYTES else start + block
            end = end[-ENDS_BYTES:] + block
    stated = _STATED.search(start) or _STATED.search(end)
    return None if stated is None else int(stated[1])

"""One trace into the store: what a worker does with a path."""

from __future__ import annotations

import ctypes
import gc
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tracer.choices import Choices
from tracer.document.errors import InputError, TracerError
from tracer.fleet.identity import identity, identity_of_name
from tracer.fleet.paths import at_hand
from tracer.fleet.rows import Origin, rows_of, rows_of_failure
from tracer.fleet.store import Store, has_failed
from tracer.saved import saved_summary
from tracer.summarize import summarize_source
from tracer.trace.limits import limits
from tracer.trace.source import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.document.summary import Summary

# What became of a trace: its rows are in the store, were there before, or its error is; or the store takes no more.
STORED, KNOWN, FAILED, UNWRITTEN = "stored", "known", "failed", "unwritten"
LONGEST_ERROR = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to do with one path.

    Attributes:
        path: of the trace.
        store: the store's folder.
        patterns: of stage ranges, by stage; those of the store.
        tags: to be kept with it.
        day: to file it under; None: as it says itself.
        nsys: the program that exports Nsight reports, or its folder.
        unlimited: read also what asks for far more memory than its size has a use for.
        again: read it again if it could not be read before.
    """

    path: str
    store: str
    patterns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    day: date | None = None
    nsys: str | None = None
    unlimited: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it; `error` is "" unless it failed, or could not be written."""

    path: str
    state: str
    error: str = ""


def take(task: Task) -> Outcome:
    """Read one trace and put its rows into the store, unless they are there."""
    store = Store(Path(task.store), task.patterns)
    try:
        with at_hand(task.path) as (path, changed_ns):
            return _taken(task, store, path, changed_ns)
    except (TracerError, OSError) as error:  # there is nothing to read
        return failed(task, _said(error, task))
    finally:
        _give_memory_back()


def _taken(task: Task, store: Store, path: Path, changed_ns: int | None) -> Outcome:
    before = path.stat()
    if not stat.S_ISREG(before.st_mode):
        raise InputError(f"{task.path}: not a regular file")  # a pipe would be waited for, a device never ends
    run = identity(path)
    there = store.has(run)
    if there and not (task.again and _failed_before(store, run)):
        return Outcome(task.path, KNOWN)
    began_ns = time.thread_time_ns()

    def origin(summary: Summary | None) -> Origin:
        day, day_from = _day(task, summary, changed_ns)
        return Origin(
            run=run, date=day, date_from=day_from, path=task.path, size_bytes=before.st_size,
            read_ns=time.thread_time_ns() - began_ns, tags=task.tags,
        )  # fmt: skip

    error = ""
    try:
        summary = _summary(path, task)
        found = origin(summary)
        tables = rows_of(summary, found)
    except MemoryError:
        error = "it takes more memory than there is"
    except Exception as caught:  # the other traces go on
        error = _said(caught, task, path)
    after = path.stat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise OSError("it was written to while it was read; try again")
    if error:
        found = origin(None)
        tables = rows_of_failure(error, found)
    try:
        if there:
            store.remove(run)
        store.add(run, found.date, tables)
        store.remove(identity_of_name(task.path))  # from when it could not be read at all
    except OSError as full:
        return Outcome(task.path, UNWRITTEN, full.strerror or str(full))
    return Outcome(task.path, FAILED, error) if error else Outcome(task.path, STORED)


def failed(task: Task, error: str) -> Outcome:
    """Put it into the store that a trace cannot be had at all, in place of an earlier such row."""
    run = identity_of_name(task.path)
    store = Store(Path(task.store), task.patterns)
    day, day_from = _day(task, None, None)
    origin = Origin(
        run=run, date=day, date_from=day_from, path=task.path, size_bytes=None, read_ns=0, tags=task.tags
    )  # fmt: skip
    with suppress(OSError):  # where the store cannot be written to, the outcome says so
        store.remove(run)
        store.add(run, day, rows_of_failure(error, origin))
    return Outcome(task.path, FAILED, error)


def _summary(path: Path, task: Task) -> Summary:
    nsys = Path(task.nsys) if task.nsys else None
    choices = Choices(patterns=task.patterns, jobs=1, nsys=nsys, limits=limits(lifted=task.unlimited))
    with Source(path, choices.limits) as source:
        return saved_summary(source) or summarize_source(source, choices)


def _failed_before(store: Store, run: str) -> bool:
    there = store.set_of(run)
    return there is not None and has_failed(there)


def _day(task: Task, summary: Summary | None, changed_ns: int | None) -> tuple[date, str]:
    if task.day is not None:
        return task.day, "given"
    began_ns = summary.trace.began_ns if summary is not None else None
    for time_ns, day_from in ((began_ns, "trace"), (changed_ns, "file")):
        with suppress(ValueError, OverflowError, OSError):  # of no year that a calendar has
            if time_ns is not None:
                return _utc(time_ns), day_from
    return datetime.now(UTC).date(), "reading"


def _utc(time_ns: int) -> date:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).date()


def _said(error: Exception, task: Task, path: Path | None = None) -> str:
    """The error in words, by the name that the trace was given, on one line."""
    if isinstance(error, TracerError):
        text = str(error)
    elif isinstance(error, OSError):
        text = f"{task.path}: {error.strerror or error}"
    else:
        text = f"{type(error).__name__}: {error}; this is a mistake in tracer"
    text = text if path is None else text.replace(str(path), task.path)
    return " ".join(text.removeprefix(f"{task.path}: ").split())[:LONGEST_ERROR]


def _give_memory_back() -> None:
    """To the system: a process that reads thousands of traces must not keep the largest one's memory."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)

"""The store on disk: a folder a day, in it a folder a trace, in it a Parquet file a table.

    STORE/tracer-fleet.json                  what it is, and how its traces are read
    STORE/date=2026-11-27/RUN/runs.parquet   RUN is the hash of the trace's bytes
    STORE/date=2026-11-27/merged-HASH/...    many traces in one set, and `runs.txt`, which lists them
    STORE/.partial/...                       what is being written

A set of files is written under another name and renamed as a whole, so that whoever is killed leaves nothing half; what
is there already is never written to. Sets that a merged one replaces are passed over, whether or not they are gone yet.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tracer.document.errors import InputError, UsageError
from tracer.fleet.columns import TABLES, schema
from tracer.recording.write.output import write_together

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import date

MARK = "tracer-fleet.json"
SCHEMA = "tracer.fleet.store/1"
PARTIAL, DAY, MERGED, LISTED = ".partial", "date=", "merged-", "runs.txt"
STALE_S = 24 * 3600
_DAY = re.compile(r"date=\d{4}-\d{2}-\d{2}")
_RUN = re.compile(r"[0-9a-f]{32}")
LOOKED_S = 60.0
# By store, when its merged sets were looked for, and their lists.
_merged_of: dict[Path, tuple[float, list[Path]]] = {}
ID_BYTES = 33  # with the end of its line


class _Mark(msgspec.Struct):
    """What stands in a store's own file: how all of its traces are read."""

    schema: str
    patterns: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Store:
    """A store that is there.

    Attributes:
        root: its folder.
        patterns: of stage ranges, by stage; see `find_stages`.
    """

    root: Path
    patterns: Mapping[str, str] = field(default_factory=dict)

    def days(self) -> list[Path]:
        """Its folders, a day each, in order."""
        return sorted(path for path in self.root.iterdir() if _DAY.fullmatch(path.name))

    def set_of(self, run: str) -> Path | None:
        """The folder that a trace has a set of its own in; None where it has none, or only a part of a merged one."""
        return next((path for day in self.days() if (path := day / run).is_dir()), None)

    def has(self, run: str) -> bool:
        """Whether a trace was read before, or could not be."""
        return self.set_of(run) is not None or any(run in _Listed(one) for one in self._merged())

    def _merged(self) -> list[Path]:
        """The lists of merged sets, as of at most a minute ago: looking through days of a million sets takes longer
        than reading a trace. Who misses one reads a trace again that `sets` then passes over."""
        seen = _merged_of.get(self.root)
        if seen is None or time.monotonic() - seen[0] > LOOKED_S:
            lists = [path for day in self.days() for path in sorted(day.glob(f"{MERGED}*/{LISTED}"))]
            seen = _merged_of[self.root] = time.monotonic(), lists
        return seen[1]

    def sets(self, days: list[Path] | None = None) -> Iterator[Path]:
        """Every folder of files that counts."""
        for day in self.days() if days is None else days:
            names = sorted(entry.name for entry in os.scandir(day))
            merged = [name for name in names if name.startswith(MERGED)]
            replaced = {run for name in merged for run in listed_in(day / name / LISTED)}
            yield from (day / name for name in merged)
            yield from (day / name for name in names if is_run(name) and name not in replaced)

    def scanned(self, name: str, days: Collection[date] | None = None) -> Any:
        """One table of the store as a `pyarrow.dataset`: its files are read when it is, and only as far as it is.

        Args:
            name: of the table.
            days: whose folders to look into; None for all.
        """
        from pyarrow import dataset

        wanted = None if days is None else {f"{DAY}{day.isoformat()}" for day in days}
        folders = [day for day in self.days() if wanted is None or day.name in wanted]
        files = [str(one / f"{name}.parquet") for one in self.sets(folders)]
        if not files:
            return schema(name).empty_table()
        return dataset.dataset(files, schema=schema(name), format="parquet")

    def add(self, run: str, day: date, tables: Mapping[str, Any]) -> bool:
        """Add a trace's rows, whole or not at all; False where somebody else has added it meanwhile.

        Raises:
            OSError: the disk is full, or the folder not to be written to.
        """
        return self.put(run, day, lambda folder: write_tables(folder, tables))

    def put(self, name: str, day: date, write: Any) -> bool:
        """The same for a set of any name: `write` puts its files into a folder."""
        partial = self.root / PARTIAL
        partial.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=partial))
        try:
            folder.chmod(0o777 & ~_umask())
            write(folder)
            kept(folder)
            target = self.root / f"{DAY}{day.isoformat()}"
            target.mkdir(exist_ok=True)
            try:
                folder.rename(target / name)
            except OSError:
                if not (target / name).is_dir():
                    raise
                return False  # of the same bytes, by another process
            if name.startswith(MERGED):
                _merged_of.pop(self.root, None)
            kept(target)
            return True
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self, run: str) -> None:
        """Take a trace's own set out, as before it is read again."""
        if (there := self.set_of(run)) is not None:
            gone = self.root / PARTIAL / f"{run}-gone-{os.getpid()}-{time.monotonic_ns()}"
            gone.parent.mkdir(exist_ok=True)
            there.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def clear(self) -> None:
        """Remove what processes that are long dead had begun to write."""
        partial = self.root / PARTIAL
        # A link leads to what is not the store's.
        for path in partial.iterdir() if partial.is_dir() and not partial.is_symlink() else ():
            try:
                if time.time() - path.stat().st_mtime > STALE_S:
                    shutil.rmtree(path, ignore_errors=True)
            except FileNotFoundError:
                continue


class _Listed:
    """Which traces a merged set has: lines of one length, in order, so that a million need not be read."""

    def __init__(self, path: Path) -> None:
        """Look at a list.

        Raises:
            InputError: it is empty or was cut.
        """
        try:
            self._lines = np.memmap(path, dtype=f"S{ID_BYTES}", mode="r")
        except ValueError:
            raise InputError(f"{path}: not the list of a merged set: it is empty or was cut") from None

    def __contains__(self, run: str) -> bool:
        line = f"{run}\n".encode()
        place = int(np.searchsorted(self._lines, line))
        return place < len(self._lines) and bytes(self._lines[place]) == line


def write_tables(folder: Path, tables: Mapping[str, Any]) -> None:
    """Write each table into its file."""
    from pyarrow import parquet

    for name in TABLES:
        with (folder / f"{name}.parquet").open("wb") as file:
            parquet.write_table(tables[name], file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def is_run(name: str) -> bool:
    """Whether a folder's name is that of a trace's own set."""
    return _RUN.fullmatch(name) is not None


def listed_in(path: Path) -> set[str]:
    """The traces that a merged set's list names. By it folders are passed over and removed, so nothing else counts."""
    return {name for name in path.read_text(errors="replace").split() if is_run(name)}


def has_failed(one: Path) -> bool:
    """Whether a trace's own set is that of one which could not be read."""
    from pyarrow import parquet

    return bool(parquet.read_table(one / "runs.parquet", columns=["error"])["error"][0].is_valid)


def kept(folder: Path) -> None:
    """Have the disk know a file's bytes, or a folder's names, before others rely on them."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def opened(root: Path) -> Store:
    """A store that is there.

    Raises:
        InputError: there is none.
    """
    try:
        mark = msgspec.json.decode((root / MARK).read_bytes(), type=_Mark)
    except FileNotFoundError:
        raise InputError(f"{root}: no store; tracer fleet TRACES --store {root} makes one") from None
    except OSError as error:
        raise InputError(f"{root}: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{root / MARK}: damaged; it says how the store's traces are read") from None
    if mark.schema != SCHEMA:
        raise InputError(f"{root}: a store of another version of tracer ({mark.schema[:40]})")
    return Store(root, mark.patterns)


def made(root: Path, patterns: Mapping[str, str]) -> Store:
    """A store, made where there is none.

    Raises:
        UsageError: the folder holds something else, or a store whose traces are read with other markers.
        InputError: it cannot be made.
    """
    if not (root / MARK).exists():
        _make(root, patterns)
    store = opened(root)
    if dict(store.patterns) != dict(patterns):
        there = (
            " ".join(f"--marker {stage}={pattern}" for stage, pattern in store.patterns.items()) or "without --marker"
        )
        raise UsageError(f"--store {root}: its traces are read {there}; use the same, or another store")
    return store


def _make(root: Path, patterns: Mapping[str, str]) -> None:
    try:
        if root.exists() and any(root.iterdir()):
            raise UsageError(f"--store {root}: holds files, and is no store; name a new folder")
        if not root.parent.is_dir():
            raise InputError(f"--store {root}: no such folder as {root.parent}")
        text = msgspec.json.format(msgspec.json.encode(_Mark(SCHEMA, dict(patterns))), indent=2)
        write_together(root, {MARK: lambda file: file.write(text + b"\n")})
    except OSError as error:
        raise InputError(f"--store {root}: {error.strerror or error}") from None

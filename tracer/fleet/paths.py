"""Which files are meant, and each as a file on this machine."""

from __future__ import annotations

import glob
import os
import tempfile
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.document.errors import InputError, MissingError, UsageError
from tracer.fleet.store import MARK
from tracer.trace.folder import TRACES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A copy of a remote file lies on this machine while it is read.
MOST_REMOTE_BYTES = 32 << 30
COPY_BYTES = 4 << 20
ELSEWHERE = "://"


def found(given: Sequence[str]) -> list[str]:
    """Every trace that paths, patterns, folders and addresses mean, each once, in order.

    Raises:
        InputError: one means nothing.
        MissingError, UsageError: an address is of a kind that nothing here reads.
    """
    names: set[str] = set()
    for one in given:
        names.update(_elsewhere(one) if ELSEWHERE in one else _here(one))
    return sorted(names)


def _here(given: str) -> list[str]:
    if not os.path.lexists(given):
        names = [name for path in glob.glob(given, recursive=True) for name in _in_folder(path, named=True)]  # noqa: PTH207
    else:
        names = list(_in_folder(given, named=True))
    if not names:
        there = "no trace in this folder" if Path(given).is_dir() else "no such file"
        raise InputError(f"{given}: {there} ({', '.join(TRACES)})")
    return [os.path.normpath(name) for name in names]


def _in_folder(path: str, *, named: bool = False) -> Iterator[str]:
    """A file itself, if named whatever its name; of a folder the traces below it, those of a store left out."""
    if not Path(path).is_dir():
        if named or path.endswith(TRACES):
            yield path
        return
    for folder, folders, files in os.walk(path, onerror=_refuse):
        if MARK in files:
            folders.clear()
            continue
        yield from (os.path.join(folder, name) for name in files if name.endswith(TRACES))  # noqa: PTH118


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename}: {error.strerror or error}")


def _elsewhere(address: str) -> list[str]:
    system, path = _system(address)
    try:
        if system.isdir(path):
            names = [name for name in system.find(path) if name.endswith(TRACES)]
        else:
            names = system.glob(path) if glob.has_magic(path) else [path] if system.exists(path) else []
        names = [name for name in names if not system.isdir(name)]
    except Exception as error:  # whatever a store of somebody else's raises
        raise InputError(f"{address}: {_first_line(error)}") from None
    if not names:
        raise InputError(f"{address}: no trace there")
    return [system.unstrip_protocol(name) for name in names]


def _system(address: str) -> tuple[Any, str]:
    """What fsspec reads an address with.

    Raises:
        MissingError: fsspec, or what it takes for this kind of address, is not installed.
        UsageError: there is no such kind.
    """
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(address)
    except ImportError as error:
        raise MissingError(f"{address}: {_first_line(error)}") from None
    except Exception as error:
        raise UsageError(f"{address}: {_first_line(error)}") from None
    return system, str(path)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


@contextmanager
def at_hand(path: str) -> Iterator[tuple[Path, int | None]]:
    """The file on this machine, and when it was last changed (nanoseconds since 1970, None where nothing tells).

    A remote file is copied, and the copy removed.

    Raises:
        InputError: it cannot be had, or is too large to be copied.
        OSError: it cannot be read.
    """
    if ELSEWHERE not in path:
        yield Path(path), Path(path).stat().st_mtime_ns
        return
    system, name = _system(path)
    with tempfile.NamedTemporaryFile(prefix="tracer-fleet-", suffix=Path(name).name[-80:]) as copy:
        try:
            _copied(system, name, copy)
            changed_ns = _changed_ns(system, name)
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{path}: {_first_line(error)}") from None
        yield Path(copy.name), changed_ns


def _copied(system: Any, name: str, copy: Any) -> None:
    size_bytes = 0
    with system.open(name, "rb") as remote:
        while block := remote.read(COPY_BYTES):
            size_bytes += len(block)
            if size_bytes > MOST_REMOTE_BYTES:
                raise InputError(f"{name}: larger than {MOST_REMOTE_BYTES >> 30} GiB; copy it here first")
            copy.write(block)
    copy.flush()


def _changed_ns(system: Any, name: str) -> int | None:
    try:
        changed = system.modified(name)
    except (NotImplementedError, KeyError):
        return None
    return round(changed.timestamp() * 1e9) if isinstance(changed, datetime) else None

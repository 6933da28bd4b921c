"""Baselines that a project keeps: summaries under a name, in `.tracer/baselines` of the folder one is in.

Names come from command lines and folders from checkouts of others: nothing is read or written outside, through no link.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tracer.document.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.document.summary import Summary

ROOT = Path(".tracer/baselines")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_FILE = re.compile(r"\d{3}\.json", re.ASCII)
MOST = 999


def folder_of(name: str) -> Path:
    """Where a baseline of that name is kept, whether or not there is one.

    Raises:
        InputError: something on the way is a link.
        UsageError: it is no name.
    """
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"{name[:80]!r} is no name of a baseline: up to 64 letters, digits, '.', '_' and '-'")
    return _unlinked(ROOT / name)


def _unlinked(folder: Path) -> Path:
    for place in (folder, *folder.parents):
        if place.is_symlink():
            raise InputError(f"{place}: a link, which may lead anywhere; baselines are kept in plain folders")
    return folder


def names() -> list[str]:
    """Of all baselines here."""
    root = _unlinked(ROOT)
    if not root.is_dir():
        return []
    there = sorted(path for path in root.iterdir() if _NAME.fullmatch(path.name) and not path.is_symlink())
    return [path.name for path in there if path.is_dir() and list(files(path.name))]


def files(name: str) -> Iterator[Path]:
    """The summaries of a baseline, in their order.

    Raises:
        InputError, UsageError: see `folder_of`.
    """
    folder = folder_of(name)
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name) and not path.is_symlink())


def found(name: str) -> list[Path]:
    """The same of a baseline that there must be.

    Raises:
        InputError: there is none; or see `folder_of`.
    """
    there = list(files(name))
    if not there:
        others = ", ".join(names())
        has = f"there are {others}" if others else "there is none; tracer baseline save NAME FILE... keeps one"
        raise InputError(f"{ROOT / name}: no such baseline; {has}")
    return there


def save(name: str, summaries: Sequence[Summary], *, force: bool) -> Path:
    """Keep summaries under a name, in place of earlier ones, and return their folder.

    Raises:
        InputError: they cannot be written.
        UsageError: there are too many, or a baseline of that name while `force` is off.
    """
    from tracer.recording.write.output import write_together

    folder = folder_of(name)
    if len(summaries) > MOST:
        raise UsageError(f"a baseline has {MOST} recordings at most")
    if list(files(name)) and not force:
        raise UsageError(f"{folder}: exists already; --force overwrites it")
    try:
        kept = {f"{number:03d}.json": partial(_write, summary) for number, summary in enumerate(summaries, 1)}
        write_together(folder, kept)
        for path in files(name):
            if path.name not in kept:
                path.unlink()
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    return folder


def _write(summary: Summary, file: IO[bytes]) -> None:
    from tracer.document.summary import encode

    file.write(encode(summary))


def remove(name: str) -> Path:
    """Take a baseline away; of its folder nothing that is not ours.

    Raises:
        InputError: there is none, or it cannot be removed.
    """
    there = found(name)
    folder = folder_of(name)
    try:
        for path in there:
            path.unlink()
        if not list(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    return folder

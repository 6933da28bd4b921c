"""How a function in a file of somebody's own is spelled: `path/to/file.py:build`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tracer.document.errors import UsageError

_SPELLING = re.compile(r"(?P<path>.+\.py)(?::(?P<name>.*))?")


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A function in a file, `text` as it was typed."""

    text: str
    path: Path
    name: str


def parse(text: str) -> OwnFile | None:
    """Read `path/to/file.py:build`; None if it is no such thing.

    Raises:
        UsageError: it names a file but no function.
    """
    match = _SPELLING.fullmatch(text)
    if match is None:
        return None
    name = match["name"] or ""
    if not name.isidentifier():
        raise UsageError(f"--model {text}: name the function that returns the model: {match['path']}:build")
    return OwnFile(text, Path(match["path"]), name)

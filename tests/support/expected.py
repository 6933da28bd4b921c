"""Whole outputs, kept in files beside the tests that expect them."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "reports/expected"
# Set where outputs are meant to change: the files are written anew, for `git diff` to show what did.
WRITE = os.environ.get("TRACER_WRITE_EXPECTED", "")


def expected(name: str, found: str) -> str:
    """What a file says that an output is."""
    if WRITE:
        (FOLDER / name).write_text(found)
    return (FOLDER / name).read_text()

"""`tracer record -- COMMAND`: the part of the verb that records a script."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tracer.cli.streams import tell
from tracer.document.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from tracer.document.manifest import Manifest

# The options of `record` that mean something for a script; what runs in it is its own affair.
_OF_THE_RUN = ("script", "auto", "output", "force", "tracks", "wait", "warmup", "active", "repeat", "decode_window")
APPLICABLE = {*_OF_THE_RUN, "with_stack", "record_shapes", "memory"}


def check_typed(typed: Collection[str]) -> None:
    """Refuse options that a script cannot be given.

    Raises:
        UsageError: there is one.
    """
    if refused := sorted(set(typed) - APPLICABLE):
        option = refused[0].replace("_", "-")
        raise UsageError(f"--{option} says nothing to a script, which runs as it is; give it to the script itself")


def record_command(command: Sequence[str], output: Path, **options: Any) -> Manifest:
    """Record a script, saying on a terminal which of its two runs begins.

    Args:
        command: as it was typed.
        output: the file to write.
        options: the other fields of `ScriptOptions`.

    Raises:
        TracerError: it could not be.
    """
    from tracer.recording.own.script import ScriptOptions, record_script

    sys.stdout.flush()  # what the script prints comes behind it
    recording = record_script(ScriptOptions(command=tuple(command), output=output, **options), _tell)
    return recording.manifest


def _tell(line: str) -> None:
    if sys.stderr.isatty():
        tell(line)

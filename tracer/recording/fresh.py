"""A recording in a process of its own, as a person would type it: nothing of the one before is warm or worn."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from tracer.document.errors import InputError, MissingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# -P: a folder that the command is typed in may hold packages of our names.
PROGRAM = (sys.executable, "-P", "-m", "tracer", "record")
# A recording that was interrupted tidies up within so many seconds.
GRACE_S = 10.0
LAST_BYTES = 4_000


def record_afresh(arguments: Sequence[str], log: Path) -> None:
    """Run `tracer record` with these arguments; what it and its script say goes to the end of `log`.

    Raises:
        InputError: it failed, in its own words.
        KeyboardInterrupt: by Ctrl-C; the process has ended then.
        MissingError: it cannot be started.
    """
    with log.open("ab") as said:
        try:
            child = subprocess.Popen([*PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        except OSError as error:
            raise MissingError(f"{sys.executable}: cannot be started ({error.strerror})") from None
        with child:
            try:
                code = child.wait()
            except BaseException:
                _end(child)
                raise
    if code:
        raise InputError(f"{_last_words(log) or f'exit code {code}'} (all that was said: {log})")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Interrupt a recording, which a terminal may have done already, and end it if it does not end by itself."""
    try:
        child.send_signal(signal.SIGINT)
        child.wait(GRACE_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.kill()


def _last_words(log: Path) -> str:
    """The last line that a recording said."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - LAST_BYTES))
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip().removeprefix("tracer: ") for line in reversed(lines) if line.strip()), "")

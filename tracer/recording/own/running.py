"""Running somebody's command to its end, also where this process is to end before."""

from __future__ import annotations

import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from tracer.document.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# How long a command that is asked to end may take to tidy up behind itself: to end processes of its own, for one.
GRACE_S = 4.0


def run_to_end(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command, without a shell, and return its exit code; negative where a signal ended it.

    Raises:
        KeyboardInterrupt: this process was to end; the command has ended then.
        MissingError: there is no such program.
    """
    try:
        process = subprocess.Popen(command, env=environment)
    except FileNotFoundError:
        raise MissingError(f"{command[0]}: no such program") from None
    except OSError as error:
        raise MissingError(
            f"{command[0]}: cannot be started ({error.strerror}); for a script, type: python {command[0]}"
        ) from None
    try:
        return process.wait()
    except BaseException as error:
        _end(process, error)
        raise


def _end(process: subprocess.Popen[bytes], error: BaseException) -> None:
    """Wait for a command that heard the terminal's Ctrl-C as we did; any other signal is passed on to it first."""
    told = next((one for one in error.args if isinstance(one, int)), signal.SIGINT)
    try:
        if told != signal.SIGINT:
            process.send_signal(told)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    finally:
        if process.poll() is None:  # it does not listen, or we were told once more
            process.kill()
            process.wait()

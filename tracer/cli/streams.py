"""Standard output and standard error as they may be: closed, full, of a narrow encoding, or a terminal to be steered.

They are the one place where what could steer it is spelled out (see `output`).
"""

from __future__ import annotations

import errno
import os
import sys
from io import TextIOWrapper
from typing import Any

from tracer.cli import output

OUTPUT = "standard output"


class _Output(TextIOWrapper):
    """Standard output whose errors say that they are its own, and whose text is safe to show."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._safe = output.for_output(terminal=self.isatty())

    def write(self, text: str) -> int:
        """See `io.TextIOWrapper`."""
        try:
            return super().write(self._safe(text))
        except OSError as error:
            raise _named(error) from None

    def flush(self) -> None:
        """See `io.TextIOWrapper`."""
        try:
            super().flush()
        except OSError as error:
            raise _named(error) from None


class _Errors(TextIOWrapper):
    """Standard error whose text is safe to show."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._safe = output.for_errors(terminal=self.isatty())

    def write(self, text: str) -> int:
        """See `io.TextIOWrapper`."""
        return super().write(self._safe(text))


class _Closed(_Output):
    """Standard output where there is none: whoever writes to it is told."""

    def write(self, text: str) -> int:  # noqa: ARG002 -- the interface's
        """Refuse.

        Raises:
            OSError: always.
        """
        raise OSError(errno.EBADF, "it is closed", OUTPUT)


def _named(error: OSError) -> OSError:
    return OSError(error.errno, error.strerror, OUTPUT)  # of the class that belongs to the number


def prepare() -> None:
    """Make both streams safe to write to.

    Where one was closed, its number is taken, so that no file which is opened later is written to by mistake. What an
    encoding lacks becomes a question mark; names of files that are not UTF-8 hold such characters too.
    """
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(free)
    if sys.stdout is None:
        sys.stdout = _Closed(open(os.devnull, "wb"), encoding="utf-8")  # noqa: PTH123, SIM115
    elif type(sys.stdout) is TextIOWrapper:
        old = sys.stdout
        sys.stdout = _Output(old.buffer, old.encoding, "replace", line_buffering=old.line_buffering)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    elif type(sys.stderr) is TextIOWrapper:
        errors = sys.stderr
        sys.stderr = _Errors(errors.buffer, errors.encoding, "backslashreplace", line_buffering=True)


def write(text: str, *, json: bool = False) -> None:
    """Write to standard output, all of it now.

    Args:
        text: what.
        json: whether it is JSON, which is UTF-8 whatever a terminal's encoding is.

    Raises:
        OSError: it cannot be written.
    """
    out = sys.stdout
    if json and isinstance(out, _Output):
        out.reconfigure(encoding="utf-8")
    out.write(text)
    out.flush()


def tell(message: str) -> None:
    """Say on stderr, in one line, what is wrong or what is going on; no colour is part of a message."""
    try:
        sys.stderr.write(f"tracer: {output.spelled_out(' '.join(message.split()))}\n")
        sys.stderr.flush()
    except OSError:  # there is nobody to tell
        pass


def give_up_on_output(error: Exception) -> bool:
    """After an error: drop what standard output still holds where it cannot be written, and say whether that is so.

    Python would try again while shutting down, and complain of it in its own way.
    """
    failed = isinstance(error, OSError) and error.filename == OUTPUT
    try:
        sys.stdout.flush()
    except OSError:
        failed = True
    if failed and isinstance(sys.stdout, _Output):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    return failed

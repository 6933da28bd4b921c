"""The end of a rank: whoever waits for another in a collective hears no signal there, so a thread listens for it."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from tracer.recording.write.workspace import WORKSPACE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Of a terminal that closes; a blocked signal would be heard though it is ignored (nohup).
HANG_UP = signal.SIGHUP
# What a shell makes of a signal.
BY_SIGNAL = 128


def listen(tidy: Callable[[], None], orphaned: Callable[[], None], *, pipe: int | None = None) -> None:
    """Have this process end at once, tidied up, when it is asked to, or when whoever started it is gone.

    To be called in the main thread, before threads are started that a signal could go to instead.

    Args:
        tidy: removes what is unfinished, when this process is asked to end.
        orphaned: likewise, when nobody is left to ask.
        pipe: a file descriptor whose other end closes with whoever started us.
    """
    heard = SIGNALS if signal.getsignal(HANG_UP) is signal.SIG_IGN else (*SIGNALS, HANG_UP)
    signal.pthread_sigmask(signal.SIG_BLOCK, heard)

    def by_signal() -> None:
        code = BY_SIGNAL + signal.sigwait(heard)
        try:
            tidy()
        finally:
            os._exit(code)

    def by_pipe(end: int) -> None:
        with suppress(OSError):
            while os.read(end, 1):
                pass
        try:
            orphaned()
        finally:
            os._exit(BY_SIGNAL + signal.SIGHUP)

    threading.Thread(target=by_signal, daemon=True).start()
    if pipe is not None:
        threading.Thread(target=by_pipe, args=(pipe,), daemon=True).start()


def remove_unfinished(output: Path, folder: Path) -> None:
    """Remove what a writer of `output` left beside it, and a folder of temporary files."""
    for path in output.parent.glob(f".{_literal(output.name)}.*.tmp"):
        with suppress(OSError):
            path.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def remove_temporary(folder: Path) -> None:
    """Remove a rank's folder of temporary files, unless a recording that could not be written is kept in it."""
    if not any(folder.glob(f"{WORKSPACE}*")):  # libraries leave folders of their own
        shutil.rmtree(folder, ignore_errors=True)


def _literal(name: str) -> str:
    """A file's name as a pattern that matches nothing else."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)

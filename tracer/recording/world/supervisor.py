"""The ranks of a run started as processes of this machine, and ended together whatever happens to one of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

import msgspec

from tracer.document.errors import InputError, MissingError, TracerError, UsageError
from tracer.recording.world.ending import remove_unfinished
from tracer.recording.world.place import FOLDER, LOCAL, RANK, SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

# -P: a folder that the command is typed in may hold packages of our names.
PROGRAM = (sys.executable, "-P", "-m", "tracer")
# The rank whose fault it is may end after those that only lost it.
CAUSE_S = 2.0
THREADS = "OMP_NUM_THREADS"
GRACE_S = 3.0
LAST_BYTES = 4_000


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a rank that failed leaves in its run's folder.

    Attributes:
        messages: what it would have said.
        exit_code: with which it would have ended.
        lost: whether all that it knows is that another rank is gone.
        everywhere: whether every rank must fail like that.
    """

    messages: list[str]
    exit_code: int
    lost: bool = False
    everywhere: bool = False


def outcome_path(folder: Path, rank: int) -> Path:
    """Where a rank leaves its outcome."""
    return folder / f"rank{rank}.failed.json"


@dataclass(slots=True)
class _Rank:
    """A process that we started.

    Attributes:
        number: its rank.
        process: it.
        asked: whether we asked it to end.
    """

    number: int
    process: subprocess.Popen[bytes]
    asked: bool = False


def run_ranks(arguments: Sequence[str], outputs: Sequence[Path]) -> None:
    """Run `tracer` with these arguments once for each output, as the ranks of one run, and wait for all.

    Rank 0 speaks to our streams. When one fails, the others are ended; nothing unfinished is left.

    Raises:
        KeyboardInterrupt: by Ctrl-C; all have ended then.
        TracerError: a rank failed, in its own words.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="tracer-ranks-"))
    except OSError as error:
        raise InputError(f"no folder for temporary files ({error}); TMPDIR names one") from None
    ranks: list[_Rank] = []
    ended: SimpleQueue[_Rank] = SimpleQueue()
    try:
        for number in range(len(outputs)):
            ranks.append(_start(arguments, number, len(outputs), folder))
            Thread(target=_tell_end, args=(ranks[-1], ended), daemon=True).start()
        _wait(ranks, ended, folder)
    finally:
        _end(ranks)
        _tidy(ranks, outputs, folder)


def _start(arguments: Sequence[str], number: int, size: int, folder: Path) -> _Rank:
    own = folder / f"rank{number}"
    own.mkdir()
    said = {RANK: str(number), SIZE: str(size), LOCAL: str(number), FOLDER: str(folder), "TMPDIR": str(own)}
    # Each would have a thread on every processor, all waiting for each other.
    said.setdefault(THREADS, os.environ.get(THREADS) or str(max(1, len(os.sched_getaffinity(0)) // size)))
    with (folder / f"rank{number}.log").open("wb") as log:
        stream = None if number == 0 else log
        try:
            process = subprocess.Popen(
                [*PROGRAM, *arguments],
                # Closes with us, however we end.
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                env={**os.environ, **said},
                # Ctrl-C on the terminal is ours to pass on.
                start_new_session=True,
            )
        except OSError as error:
            raise MissingError(f"{sys.executable}: cannot be started ({error.strerror})") from None
    return _Rank(number, process)


def _tell_end(rank: _Rank, ended: SimpleQueue[_Rank]) -> None:
    rank.process.wait()
    ended.put(rank)


def _wait(ranks: Sequence[_Rank], ended: SimpleQueue[_Rank], folder: Path) -> None:
    """Wait for all ranks, or for the first that fails.

    Raises:
        TracerError: it does.
    """
    failed: list[_Rank] = []
    until = 0.0
    for _ in ranks:
        try:
            one = ended.get(timeout=max(0.0, until - time.monotonic())) if failed else ended.get()
        except Empty:
            break
        if not one.process.returncode:
            continue
        failed.append(one)
        outcome = _outcome(folder, one)
        if outcome is None or not outcome.lost:
            break
        until = until or time.monotonic() + CAUSE_S
    if failed:
        # The last one is the first that knows more than that another is gone, if any does.
        raise _error(folder, failed[-1], len(ranks))


def _outcome(folder: Path, rank: _Rank) -> Outcome | None:
    """What a rank said of its end; None where it could not."""
    try:
        return msgspec.json.decode(outcome_path(folder, rank.number).read_bytes(), type=Outcome)
    except (OSError, ValueError):
        return None


def _error(folder: Path, rank: _Rank, size: int) -> TracerError:
    """The error that a rank's end is for us."""
    outcome = _outcome(folder, rank)
    if outcome is None:
        return InputError(f"rank {rank.number} of {size} {_manner(rank.process.returncode, folder, rank.number)}")
    kind = UsageError if outcome.exit_code == UsageError.exit_code else InputError
    if outcome.everywhere:
        return kind(*outcome.messages)
    return kind(*[f"rank {rank.number} of {size}: {message}" for message in outcome.messages])


def _manner(code: int, folder: Path, number: int) -> str:
    """How a process ended that said nothing."""
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        why = "; where nobody did that, this machine ran out of memory" if -code == signal.SIGKILL else ""
        return f"was ended by {name}{why}"
    words = _last_words(folder / f"rank{number}.log")
    return f"ended with the exit code {code}{f' ({words})' if words else ''}"


def _last_words(log: Path) -> str:
    """The last line that a rank said."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LAST_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def _end(ranks: Sequence[_Rank]) -> None:
    """End those that still run, by asking first."""
    left = [rank for rank in ranks if rank.process.poll() is None]
    for rank in left:
        rank.asked = True
        with suppress(OSError):
            rank.process.terminate()
    until = time.monotonic() + GRACE_S
    for rank in left:
        try:
            rank.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            rank.process.kill()
            rank.process.wait()
    for rank in ranks:
        if rank.process.stdin is not None:
            rank.process.stdin.close()


def _tidy(ranks: Sequence[_Rank], outputs: Sequence[Path], folder: Path) -> None:
    """Remove what is unfinished; a rank that could not write where it should may have kept its recording."""
    for rank, output in zip(ranks, outputs, strict=False):
        if rank.asked or rank.process.returncode < 0:
            remove_unfinished(output, folder / f"rank{rank.number}")
    for path in folder.iterdir():
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
    with suppress(OSError):
        folder.rmdir()

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
from tracer.recording.world.place import FOLDER, LOCAL, RANK, SIZE, told_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# -P: a folder that the command is typed in may hold packages of our names.
PROGRAM = (sys.executable, "-P", "-m", "tracer")
# The rank whose fault it is may end after those that only lost it.
CAUSE_S = 2.0
# How long ranks that write their recordings when another fails may take; they end by themselves then.
WRITE_S = 60.0
THREADS = "OMP_NUM_THREADS"
GRACE_S = 3.0
LAST_BYTES = 4_000


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a rank that failed leaves in its run's folder.

    Attributes:
        messages: what it would have said.
        exit_code: with which it would have ended.
        lost: whether all that it knows is that another rank is gone, or could not write.
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

    Rank 0 speaks to our streams. When one fails, the others are ended; nothing unfinished is left, and what is whole is
    kept and said.

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
    failure: TracerError | None = None
    whole: dict[int, Path] = {}
    try:
        for number in range(len(outputs)):
            ranks.append(_start(arguments, number, len(outputs), folder))
            Thread(target=_tell_end, args=(ranks[-1], ended), daemon=True).start()
        failure = _wait(ranks, ended, folder)
    finally:
        _end(ranks)
        whole = _whole(len(outputs), folder)
        if failure is None:  # interrupted, perhaps, which leaves nothing
            for path in {*whole.values()} - {*outputs}:
                path.unlink(missing_ok=True)
        _tidy(ranks, outputs, folder)
    if failure is not None:
        *messages, last = failure.args
        raise type(failure)(*messages, f"{last}{_say_whole(whole)}")


def _start(arguments: Sequence[str], number: int, size: int, folder: Path) -> _Rank:
    own = folder / f"rank{number}"
    own.mkdir()
    said = {RANK: str(number), SIZE: str(size), LOCAL: str(number), FOLDER: str(folder), "TMPDIR": str(own)}
    # Each would have a thread on every processor, all waiting for each other.
    said.setdefault(THREADS, os.environ.get(THREADS) or str(max(1, (os.cpu_count() or 1) // size)))
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


def _wait(ranks: Sequence[_Rank], ended: SimpleQueue[_Rank], folder: Path) -> TracerError | None:
    """Wait for all ranks, or for the first that fails, which is an error."""
    failed: list[_Rank] = []
    cause: _Rank | None = None
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
            cause = cause or one
            if not any(told_path(folder, rank.number).exists() for rank in ranks):
                break
        until = until or time.monotonic() + CAUSE_S
        if one is cause:
            until = time.monotonic() + WRITE_S
    return _error(folder, cause or failed[-1], len(ranks)) if failed else None


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


def _whole(size: int, folder: Path) -> dict[int, Path]:
    """The recordings that are whole, by their ranks."""
    found = {}
    for rank in range(size):
        with suppress(OSError):
            path = Path(os.fsdecode(told_path(folder, rank).read_bytes()))
            if path.is_file():
                found[rank] = path
    return found


def _say_whole(whole: Mapping[int, Path]) -> str:
    """Which recordings are there, behind what is wrong with another."""
    said = [f"rank {rank}'s in {path}" for rank, path in whole.items()]
    return f"; whole and kept: {', '.join(said)}" if said else ""


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
        crashed = rank.process.returncode and _outcome(folder, rank) is None
        if rank.asked or crashed:
            remove_unfinished(output, folder / f"rank{rank.number}")
    for path in folder.iterdir():
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
    with suppress(OSError):
        folder.rmdir()

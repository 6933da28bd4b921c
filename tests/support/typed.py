"""Processes that import nothing: `tracer ...` as a person types it, and a stand-in for `python`.

Both are forked from a process that has imported PyTorch already (`support.spare`), one for all workers of pytest,
because that takes longer than most of what they do. Where the start itself is what is tested, start Python instead.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from support import asking

HEAVY = {"record", "calibrate", "doctor", "ab", "--verify"}
# The folder that all workers share, and the process whose end is the end of what is in it.
SHARED, OWNER = "TRACER_TESTS_SHARED", "TRACER_TESTS_OWNER"
# Before a test changes it.
ENVIRONMENT = dict(os.environ)


def typed(
    *arguments: object, folder: Path | None = None, stdin: bytes = b"", timeout: float = 600, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `tracer` with these arguments and wait for it, on a terminal of 80 columns unless COLUMNS says otherwise.

    Raises:
        subprocess.TimeoutExpired: it took longer than `timeout` seconds; it has been killed.
    """
    words = ["tracer", *map(str, arguments)]
    variables = {**os.environ, "COLUMNS": "80", **environment}
    address = _spare("light" if HEAVY.isdisjoint(words) else "heavy")
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        files = {number: file.fileno() for number, file in enumerate((given, output, errors))}
        encoded = {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}
        answers = asking.ask(str(address), words, str(folder or Path.cwd()), encoded, files)
        code = _wait(answers, words, timeout)
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(words, code, output.read().decode(), errors.read().decode())


def _wait(answers: int, words: list[str], timeout: float) -> int:
    """The exit code."""
    with os.fdopen(answers, "rb", 0) as lines:
        process = int(lines.readline())
        if not select.select([lines], [], [], timeout)[0]:
            os.kill(process, signal.SIGKILL)
            lines.readline()
            raise subprocess.TimeoutExpired(words, timeout)
        return int(lines.readline())


@cache
def python() -> str:
    """A program that behaves as this Python does, but has PyTorch and transformers imported when it starts.

    It takes a script, `-m` or `-c`, and `-B` and `-P` before it. Of ours it has nothing imported, unless it is
    `-m tracer`.
    """
    _spare("heavy")
    return str(_stand_in())


def _stand_in() -> Path:
    """The program; it is named `python`, so that its folder may stand on PATH."""
    return Path(os.environ[SHARED]) / "python"


@cache
def _spare(kind: str) -> Path:
    """Where the process listens that forks, which is started if no worker has done so yet."""
    folder = Path(os.environ[SHARED])
    address = folder / kind
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listening.bind(str(address))
            listening.listen(64)
            spare = [sys.executable, str(Path(__file__).with_name("spare.py"))]
            subprocess.Popen(
                [*spare, str(listening.fileno()), os.environ[OWNER], kind, str(_stand_in())],
                pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL, env=ENVIRONMENT, start_new_session=True,
            )  # fmt: skip
            listening.close()
    return address


def share(folder: Path) -> None:
    """Have all that this process starts share what is started from `folder`, until this process ends."""
    os.environ |= {SHARED: str(folder), OWNER: str(os.getpid())}
    ENVIRONMENT.clear()
    ENVIRONMENT.update(os.environ)
    program = _stand_in()
    source = Path(asking.__file__).read_text(encoding="utf-8")
    program.write_text(f"#!{sys.executable} -IS\n{source}\n\nstand_in({str(folder / 'heavy')!r}, {sys.executable!r})\n")
    program.chmod(0o755)

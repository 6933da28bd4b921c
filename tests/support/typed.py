"""`tracer ...` as a person types it: a process with its own folder, environment and streams, and an exit code.

It is forked from a process that has imported PyTorch already (`support.spare`), once for each worker of pytest, because
that takes longer than most of what these commands do. Where the start itself is what is tested, start Python instead.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

HEAVY = {"record", "calibrate", "doctor", "--verify"}


def typed(
    *arguments: object, folder: Path | None = None, stdin: bytes = b"", timeout: float = 600, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `tracer` with these arguments and wait for it, on a terminal of 80 columns unless COLUMNS says otherwise.

    Raises:
        subprocess.TimeoutExpired: it took longer than `timeout` seconds; it has been killed.
    """
    words = list(map(str, arguments))
    with tempfile.TemporaryDirectory(prefix="typed-") as name:
        files = [Path(name, stream) for stream in ("stdin", "stdout", "stderr")]
        for file, content in zip(files, (stdin, b"", b""), strict=True):
            file.write_bytes(content)
        asked = {
            "arguments": words,
            "folder": str(folder or Path.cwd()),
            "environment": {**os.environ, "COLUMNS": "80", **environment},
            "files": list(map(str, files)),
            "heavy": not HEAVY.isdisjoint(words),
        }
        code = _spare().run(json.dumps(asked), timeout)
        output, errors = (file.read_bytes().decode() for file in files[1:])
    return subprocess.CompletedProcess(["tracer", *words], code, output, errors)


class _Spare:
    """The process that forks; it ends when this one does, because its pipe closes then."""

    def __init__(self) -> None:
        theirs, ours = os.pipe()
        program = [sys.executable, str(Path(__file__).with_name("spare.py")), str(theirs)]
        self._process = subprocess.Popen(
            program, pass_fds=[theirs], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0
        )
        os.close(theirs)
        self._asking = os.fdopen(ours, "w", encoding="utf-8", buffering=1)

    def run(self, asked: str, timeout: float) -> int:
        self._asking.write(asked + "\n")
        process = self._answer(timeout)
        try:
            return self._answer(timeout)
        except subprocess.TimeoutExpired:
            os.kill(process, signal.SIGKILL)
            self._answer(timeout)
            raise

    def _answer(self, timeout: float) -> int:
        answers = self._process.stdout
        assert answers is not None
        if not select.select([answers], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("tracer", timeout)
        return int(answers.readline())


@cache
def _spare() -> _Spare:
    return _Spare()

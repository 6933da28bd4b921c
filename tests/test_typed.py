"""The stand-in for Python that tests start (`support.typed`) does what Python does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.typed import python

SEEN = "import os, sys; print(sys.argv, sys.path[0], __name__, os.getcwd(), os.environ.get('X'), sys.stdin.read())"
OURS = "import sys; print(sorted(name for name in sys.modules if name.split('.')[0] in ('tracer', 'model', 'reports')))"


def _both(folder: Path, *words: str, **environment: str) -> list[tuple[int, str, str]]:
    """What Python does, and what does the one that stands in for it."""
    (folder / "shown.py").write_text(SEEN)
    (folder / "ours.py").write_text(OURS)
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site/sitecustomize.py").write_text("print('customised')")
    found = []
    for program in (sys.executable, python()):
        done = subprocess.run(
            [program, *words], cwd=folder, input="given", capture_output=True, text=True, check=False,
            env=os.environ | environment,
        )  # fmt: skip
        found.append((done.returncode, done.stdout, done.stderr))
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("shown.py", "a b", "--c"),
        ("./shown.py",),
        ("-m", "shown", "-x"),
        ("-P", "-m", "calendar", "2026", "11"),
        ("-c", SEEN, "-P", "1"),
        ("-P", "-c", "import sys; print('' in sys.path)"),
        ("-B", "-c", "import sys; print(sys.stdin.seekable(), sys.stdout.seekable(), sys.stderr.line_buffering)"),
        ("-c", "import sys; sys.stdout.close()"),
        ("ours.py",),
        ("-c", "import sys; sys.exit(7)"),
        ("-c", "import sys; sys.exit('because')"),
        ("-c", "import atexit; atexit.register(print, 'at the end')"),
        ("-c", "import threading, time; threading.Thread(target=lambda: (time.sleep(0.05), print('late'))).start()"),
        ("-c", "import os; os.kill(os.getpid(), 9)"),
        ("-c", "import os; os.kill(os.getpid(), 15)"),
        ("-c", "import os, sys; sys.stderr.write('x' * 99_999); os._exit(3)"),
    ],
)
def test_it_does_what_python_does(tmp_path: Path, words: tuple[str, ...]) -> None:
    real, stand_in = _both(tmp_path, *words, X="y", PYTHONPATH=f"site{os.pathsep}{Path(__file__).parents[1]}")
    assert stand_in == real
    assert "customised" in real[1] or real[0] in (-9, -15, 3)


def test_an_exception_is_told_with_the_place(tmp_path: Path) -> None:
    for code, output, errors in _both(tmp_path, "-m", "json.tool", "shown.py"):
        assert (code, output) == (1, "")
        assert "Expecting value" in errors


def test_signals_arrive_and_whoever_goes_away_takes_it_along() -> None:
    waits = "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(600)\n"
    waits += "except KeyboardInterrupt:\n    print('so')"
    with subprocess.Popen([python(), "-c", waits], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("so\n", None)
    assert process.returncode == 0
    with subprocess.Popen([python(), "-c", waits], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        assert process.stdout.read() == ""  # which ends when nobody has the other end any more
    assert process.returncode == -signal.SIGKILL


def test_descriptors_keep_their_numbers() -> None:
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb") as read:
        subprocess.run([python(), "-c", f"import os; os.write({writes}, b'here')"], pass_fds=[writes], check=True)
        os.close(writes)
        assert read.read() == b"here"


def test_it_has_imported_what_takes_long() -> None:
    there = "import sys; print(sys.executable, {'torch', 'transformers'} <= set(sys.modules))"
    done = subprocess.run([python(), "-c", there], capture_output=True, text=True, check=True)
    assert done.stdout == f"{python()} True\n"

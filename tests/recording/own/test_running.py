"""A command that is running when this process is told to end: it tidies up, and nothing of it is left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tracer.recording.own import running
from tracer.recording.own.running import run_to_end

# Says that it runs, and takes its time to tidy up; `-S` starts it at once.
TIDY = """
import signal, sys, time
def end(number, frame):
    time.sleep(0.4)
    open("ended", "w").write(str(number))
    sys.exit(1)
for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, end)
open("pid", "w").close()
time.sleep(60)
"""
DEAF = """
import signal, time
for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)
open("pid", "w").close()
time.sleep(60)
"""


def _when_it_runs(folder: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch, *, heard: bool) -> None:
    """Have the wait for a command raise as soon as that runs; `heard` where a terminal told the command as well."""

    def wait(process: running.subprocess.Popen[bytes], timeout: float | None = None) -> int:
        if timeout is not None or process.returncode is not None or (folder / "raised").exists():
            return original(process, timeout)
        deadline = time.monotonic() + 60
        while not (folder / "pid").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        (folder / "raised").write_text(str(process.pid))
        if heard:
            process.send_signal(signal.SIGINT)
        raise error

    original = running.subprocess.Popen.wait
    monkeypatch.chdir(folder)
    monkeypatch.setattr(running.subprocess.Popen, "wait", wait)


@pytest.mark.parametrize(
    ("error", "heard", "told"),
    [(KeyboardInterrupt(), True, signal.SIGINT), (KeyboardInterrupt(int(signal.SIGTERM)), False, signal.SIGTERM)],
    ids=["Ctrl-C, which reached it too", "SIGTERM, which reached this process alone"],
)
def test_a_command_tidies_up_before_this_process_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, heard: bool, told: int
) -> None:
    _when_it_runs(tmp_path, error, monkeypatch, heard=heard)
    with pytest.raises(KeyboardInterrupt):
        run_to_end([sys.executable, "-S", "-c", TIDY], os.environ)
    assert (tmp_path / "ended").read_text() == str(int(told))


def test_a_command_that_does_not_listen_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "GRACE_S", 0.1)
    _when_it_runs(tmp_path, KeyboardInterrupt(), monkeypatch, heard=True)
    with pytest.raises(KeyboardInterrupt):
        run_to_end([sys.executable, "-S", "-c", DEAF], os.environ)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "raised").read_text()), 0)


def test_a_command_that_ends_by_itself_is_waited_for() -> None:
    assert run_to_end([sys.executable, "-S", "-c", "import sys; sys.exit(7)"], os.environ) == 7

"""A recording in a process of its own, with programs that stand in for `tracer record`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tracer.document.errors import InputError, MissingError
from tracer.recording import fresh
from tracer.recording.fresh import record_afresh


def _instead(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(fresh, "PROGRAM", (sys.executable, "-c", code))


def test_arguments_arrive_and_what_is_said_goes_to_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _instead(monkeypatch, "import sys; print(sys.argv[1:]); sys.stderr.write('done')")
    for _ in range(2):
        record_afresh(["--size", "a b"], tmp_path / "log")
    assert (tmp_path / "log").read_text().count("['--size', 'a b']") == 2


def test_a_failure_is_told_in_its_own_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _instead(monkeypatch, "import sys; sys.stderr.write('warning: x\\ntracer: no such model\\n'); sys.exit(2)")
    with pytest.raises(InputError, match=r"^no such model \(all that was said: .*log\)$"):
        record_afresh([], tmp_path / "log")
    _instead(monkeypatch, "import sys; sys.exit(7)")
    with pytest.raises(InputError, match="^exit code 7 "):
        record_afresh([], tmp_path / "silent")


def test_what_cannot_be_started_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "PROGRAM", (str(tmp_path / "none"),))
    with pytest.raises(MissingError, match="cannot be started"):
        record_afresh([], tmp_path / "log")


def test_an_interrupt_ends_the_recording_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def wait(self, timeout: float | None = None) -> int:
            if not started:
                started.append(self)
                assert self.stdin is None
                while "ready" not in (tmp_path / "log").read_text():
                    pass
                raise KeyboardInterrupt
            return super().wait(timeout)

    _instead(
        monkeypatch,
        "import sys, time\nprint('ready', flush=True)\n"
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('tidied up')",
    )
    monkeypatch.setattr(fresh.subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        record_afresh([], tmp_path / "log")
    assert started[0].poll() in (0, -signal.SIGINT)
    assert "tidied up" in (tmp_path / "log").read_text()

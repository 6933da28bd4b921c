"""`tracer calibrate` where what it measures cannot be kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tracer.cli.calibrate import command
from tracer.document.errors import InputError
from tracer.peaks.find import Peak
from tracer.recording import calibrate as measuring


@pytest.mark.parametrize("cache", ["/proc/none", "{tmp}/file"])
def test_a_home_that_cannot_be_written_costs_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cache: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", cache.format(tmp=tmp_path))
    monkeypatch.setattr(measuring, "calibrate", lambda *_: Peak(tflops=1.25, gbs=40.0, source="measured"))
    with pytest.raises(InputError, match="--peak-tflops 1.25 --peak-gbs 40, or set XDG_CACHE_HOME") as raised:
        command(device="cpu", dtype="float32")
    assert "\n" not in str(raised.value)
    assert re.fullmatch(r".*, float32: 1.25 TFLOP/s, 40 GB/s \(read and written\)\n", capsys.readouterr().out)

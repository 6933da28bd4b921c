"""What a launch costs this host at least, as `tracer calibrate` measures and keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tracer.cli.calibrate import command
from tracer.peaks.find import Peak
from tracer.peaks.launches import floor_of
from tracer.recording import calibrate as measuring
from tracer.recording import machine


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_calibrate_measures_and_keeps_what_a_launch_costs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a device that is not there."""
    monkeypatch.setattr("tracer.cli.choices.choose_device", lambda _: "cuda")
    monkeypatch.setattr(measuring, "calibrate", lambda *_: Peak(tflops=1.0, gbs=1.0, source="measured"))
    monkeypatch.setattr(measuring, "launch_floor", lambda _: 4_000.0)
    monkeypatch.setattr(machine, "describe_device", lambda _: {"name": "a device", "host": "a processor"})
    command(device="cuda", dtype="bfloat16")
    assert "by a processor: a launch takes 4 us at least, 250,000 a second" in capsys.readouterr().out
    assert floor_of("a device", "a processor") == 4_000


def test_the_quickest_round_counts_and_the_first_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock by which each launch takes 1 us of a first round and 5 us after it, but for one of 3."""
    now, rounds, launched = 0, 0, 0

    def launch(cycles: int) -> None:
        nonlocal now, launched
        assert cycles == 0
        launched += 1
        now += {1: 1_000, 4: 3_000}.get(rounds, 5_000)

    def synchronise() -> None:
        nonlocal now, rounds
        now += 1_000_000
        rounds += 1

    monkeypatch.setattr(torch.cuda, "_sleep", launch)
    monkeypatch.setattr(torch.cuda, "synchronize", synchronise)
    monkeypatch.setattr(torch.cuda, "device", lambda _: torch.no_grad())
    monkeypatch.setattr(measuring.time, "perf_counter_ns", lambda: now)
    assert measuring.launch_floor(torch.device("cuda")) == 3_000
    assert launched == (measuring.ROUNDS + 1) * measuring.LAUNCHES


def test_a_cpu_launches_nothing() -> None:
    assert measuring.launch_floor(torch.device("cpu")) is None

from __future__ import annotations

import pytest
import torch

from tracer.recording import calibrate as module
from tracer.recording.calibrate import ROUNDS, calibrate


def test_the_best_round_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock of our own: rounds of 10 ms, and one of 2."""

    class Clock:
        name = "host"

        def __init__(self) -> None:
            self.marks = 0

        def mark(self) -> None:
            self.marks += 1

        def read(self) -> list[int]:
            assert self.marks == ROUNDS + 1
            return [10_000_000] * (ROUNDS - 1) + [2_000_000]

    monkeypatch.setattr(module, "clock_for", lambda _: Clock())
    peak = calibrate(torch.device("cpu"), torch.float32, side=100, copy_bytes=4_000_000)
    assert peak.tflops == 2 * 100**3 / 2e6 / 1e3
    assert peak.gbs == 2 * 4_000_000 / 2_000_000  # read and written


def test_a_cpu_can_be_measured() -> None:
    peak = calibrate(torch.device("cpu"), torch.float32, side=64, copy_bytes=1 << 20)
    assert peak.tflops is not None
    assert peak.gbs is not None
    assert 0 < peak.tflops < 1000
    assert 0 < peak.gbs < 10_000

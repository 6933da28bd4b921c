from __future__ import annotations

import pytest
from support.findings import COST, found, recorded, steps

from tracer.findings.memory_bound import FINDING
from tracer.summarize import Choices

ID = FINDING.id


def test_bytes_that_take_more_than_half_of_busy_are_found_with_a_peak_that_is_known() -> None:
    # 120 kB at 2 GB/s are 60 us of a step that is busy for 90.
    choices = Choices(peak_tflops=1, peak_gbs=2)
    finding = found(ID, *steps(), choices=choices, tracer=recorded(COST))
    assert finding is not None
    assert "LLM decode is bound by memory bandwidth" in finding.message
    assert finding.gain is not None
    assert finding.gain.time_ns == pytest.approx(4 * 90_000 * 100 / 120 / 2, rel=0.01)
    faster = Choices(peak_tflops=1, peak_gbs=4)
    assert found(ID, *steps(), choices=faster, tracer=recorded(COST)) is None
    assert found(ID, *steps(), tracer=recorded(COST)) is None

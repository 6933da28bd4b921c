from __future__ import annotations

import pytest
from support.findings import found, frames

from tracer.findings.frames_encoded_one_by_one import FINDING

ID = FINDING.id


def test_frames_one_by_one_are_found_unless_the_device_is_busy_with_them() -> None:
    finding = found(ID, *frames(5, gap=40))
    assert finding is not None
    assert "5 frames one by one" in finding.message
    assert finding.gain is not None
    assert finding.gain.time_ns == pytest.approx(19 * 40_000 + 10_000 - 200_000, rel=0.01)
    assert found(ID, *frames(1, gap=40)) is None
    assert found(ID, *frames(5, gap=5)) is None


@pytest.mark.parametrize(("count", "raised"), [(1, False), (2, True)])
def test_one_run_of_the_encoder_is_one_call(count: int, raised: bool) -> None:
    assert (found(ID, *frames(count, gap=40)) is not None) == raised


@pytest.mark.parametrize(("gap", "raised"), [(20, False), (21, True)])
def test_as_much_idle_as_busy_is_the_threshold(gap: float, raised: bool) -> None:
    """Twenty kernels of 10 us with nineteen gaps between them: 190 us and 209 us idle."""
    assert (found(ID, *frames(5, gap=gap)) is not None) == raised

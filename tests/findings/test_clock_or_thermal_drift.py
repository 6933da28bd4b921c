from __future__ import annotations

import pytest
from support.chrome import Event, kernel, launch, operator, span
from support.findings import GEMM, found, recorded
from support.held import energy

from tracer.findings.clock_or_thermal_drift import FINDING

ID = FINDING.id


def _requests(slower_us: float) -> list[Event]:
    events: list[Event] = []
    for r in range(9):
        start = 1000 * r
        events.append(span(f"tracer/request#{r}", start, 900))
        for k in range(1, 4):
            at, number = start + 200 * k, 10 * r + k
            events += [span(f"tracer/decode#{k}", at, 150), launch(at + 1, 1, number)]
            events.append(kernel(GEMM, at + 3, 100 + slower_us * r, number))
    return events


@pytest.mark.parametrize("slower_us", [1, -1])
def test_drift_over_requests_either_way(slower_us: float) -> None:
    finding = found(ID, *_requests(slower_us))
    assert finding is not None
    assert finding.evidence["change"] == pytest.approx(0.08 * slower_us, rel=0.05)
    assert found(ID, *_requests(0.1 * slower_us)) is None


@pytest.mark.parametrize(("slower_us", "raised"), [(0.36, False), (0.4, True)])
def test_three_percent_is_the_threshold(slower_us: float, raised: bool) -> None:
    """Over eight requests 2.88 us of 101.4, and 3.2 us of 101.6."""
    assert (found(ID, *_requests(slower_us)) is not None) == raised


def test_operators_that_get_slower_say_nothing_of_a_devices_clock() -> None:
    events: list[Event] = []
    for r in range(9):
        events.append(span(f"tracer/request#{r}", 1000 * r, 900))
        for k in range(1, 4):
            at = 1000 * r + 200 * k
            events += [span(f"tracer/decode#{k}", at, 150), operator("aten::mm", at + 3, 100 + r)]
    assert found(ID, *events) is None


def test_clocks_that_were_read_meanwhile_are_said() -> None:
    finding = found(ID, *_requests(1), tracer=recorded(energy=energy()))
    assert finding is not None
    assert "meanwhile its clock went from 1,980 to 1,780 MHz at up to 62 °C, limited by heat" in finding.message
    assert finding.evidence["sm_mhz"] == [1980, 1880, 1780]
    without = found(ID, *_requests(1), tracer=recorded())
    assert without is not None
    assert "meanwhile" not in without.message

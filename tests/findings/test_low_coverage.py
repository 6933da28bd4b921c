from __future__ import annotations

import pytest
from support.chrome import kernel, launch
from support.findings import GEMM, found, stage

from tracer.findings.low_coverage import FINDING

ID = FINDING.id


@pytest.mark.parametrize(("stray_us", "raised"), [(4, False), (5.2, False), (5.3, True), (9, True)])
def test_a_twentieth_outside_all_stages_is_the_threshold(stray_us: float, raised: bool) -> None:
    """Beside 100 us in a stage 5.2 are 4.94 % of all, 5.3 are 5.03 %."""
    prefill = stage("tracer/prefill", 0, 5, [GEMM] * 10)
    assert (found(ID, *prefill, kernel("stray", 500, stray_us)) is not None) == raised


def test_the_main_reason_is_named() -> None:
    outside = [launch(490, 1, 99), kernel("late", 600, 3, 99)]
    finding = found(ID, *stage("tracer/prefill", 0, 5, [GEMM] * 10), kernel("stray", 500, 9), *outside)
    assert finding is not None
    assert finding.message.endswith("main reason: no launch record")


def test_without_stages_nothing_is_missed() -> None:
    assert found(ID, kernel("stray", 0, 9)) is None

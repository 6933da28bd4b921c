from __future__ import annotations

import pytest
from support.findings import found, steps

from tracer.findings.kv_growth import FINDING

ID = FINDING.id


def test_growth_with_the_cache() -> None:
    finding = found(ID, *steps(extra=lambda k: k))
    assert finding is not None
    assert "grow by 1.00 µs per cached token" in finding.message
    assert found(ID, *steps(extra=lambda k: k / 10)) is None
    assert found(ID, *steps(extra=lambda k: 10 * (k % 2))) is None


@pytest.mark.parametrize(("us_per_token", "raised"), [(0.41, False), (0.43, True)])
def test_a_twentieth_of_a_step_is_the_threshold(us_per_token: float, raised: bool) -> None:
    """Eleven tokens more: 4.51 us of a step of 92.7, 4.73 us of one of 92.8."""
    assert (found(ID, *steps(extra=lambda k: us_per_token * k)) is not None) == raised

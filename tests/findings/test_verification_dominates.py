from __future__ import annotations

from support.findings import found
from support.rounds import rounds

from tracer.findings.verification_dominates import FINDING

ID = FINDING.id


def test_a_check_of_more_than_four_fifths_of_a_round_dominates() -> None:
    finding = found(ID, *rounds([(1, 1)] * 3, draft=5))
    assert finding is not None
    assert "checking takes 89% of a round" in finding.message
    assert found(ID, *rounds([(1, 1)] * 3, draft=10)) is None  # just four fifths
    assert found(ID, *rounds([(1, 1)] * 2, draft=5)) is None

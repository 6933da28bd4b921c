from __future__ import annotations

from support.findings import found
from support.rounds import rounds

from tracer.findings.acceptance_falls_by_position import FINDING

ID = FINDING.id


def test_the_last_drafted_token_that_is_accepted_half_as_often_as_the_first_is_named() -> None:
    finding = found(ID, *rounds([(3, 3)] * 2 + [(3, 1)] * 6))
    assert finding is not None
    assert finding.evidence["acceptance_by_position"] == [1.0, 0.25, 0.25]
    assert found(ID, *rounds([(3, 3)] * 4 + [(3, 1)] * 4)) is None  # just half
    assert found(ID, *rounds([(3, 3)] + [(3, 1)] * 6)) is None  # too few


def test_a_position_that_few_rounds_drafted_says_nothing() -> None:
    assert found(ID, *rounds([(1, 1)] * 8 + [(2, 1)])) is None

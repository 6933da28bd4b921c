from __future__ import annotations

import pytest
from support.findings import found, recorded
from support.rounds import rounds

from tracer.document.manifest import Drafting
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


@pytest.mark.parametrize(("asked_for", "raised"), [([], True), ([1.0, 0.25], False)])
def test_what_a_recording_was_asked_to_accept_says_nothing_of_the_draft(asked_for: list[float], raised: bool) -> None:
    said = Drafting(
        draft={}, device="cpu", tokens=3, schedule="sequential", mapping="shared ids", acceptance=asked_for, ways=[]
    )
    finding = found(ID, *rounds([(3, 3)] * 2 + [(3, 1)] * 6), tracer=recorded(drafting=said))
    assert (finding is not None) == raised

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.summaries import requests, summary

from tracer.compare.pairs import compare
from tracer.compare.verdicts import Evidence, judge
from tracer.document.comparison import Row
from tracer.document.summary import Summary


def _rows(before: Summary, after: Summary, tolerance: float | None = 0.01) -> dict[str, Row]:
    (pair,) = compare([before, after], tolerance=tolerance).pairs
    return {row.of: row for row in pair.rows if not row.per}


def _judge(ratio: float, low: float, high: float, *, p: float = 0.5, allowance: float = 0.01) -> str:
    return judge(Evidence(ratio, (low, high), allowance, p), alone=False)


@pytest.mark.parametrize(
    ("ratio", "low", "high", "verdict"),
    [
        (1.0, 0.99, 1.01, "within noise"),
        (1.05, 1.0, 1.1, "within noise"),
        # A tenth is the most that noise may hide, either way.
        (1.05, 1.0, 1.101, "cannot tell"),
        (0.95, 1 / 1.1, 1.0, "within noise"),
        (0.95, 0.908, 1.0, "cannot tell"),
        # By itself it differs by more than is allowed for; the other rows forbid to say so.
        (1.05, 1.011, 1.09, "cannot tell"),
        (1.05, 1.009, 1.09, "within noise"),
        (0.95, 0.92, 0.98, "cannot tell"),
        (0.139, 0.1, 1.2, "cannot tell"),
    ],
)
def test_noise_is_what_leaves_no_room_for_a_difference_that_matters(
    ratio: float, low: float, high: float, verdict: str
) -> None:
    assert _judge(ratio, low, high) == verdict


def test_what_the_allowance_covers_is_noise_however_much_that_is() -> None:
    assert _judge(1.1, 1.05, 1.2, allowance=0.2) == "within noise"
    assert _judge(1.1, 1.05, 1.21, allowance=0.2) == "cannot tell"


@pytest.mark.parametrize(("p", "verdict"), [(0.05, "slower"), (0.051, "cannot tell")])
def test_a_difference_is_claimed_up_to_the_error_rate(p: float, verdict: str) -> None:
    assert _judge(1.3, 1.2, 1.4, p=p) == verdict
    assert judge(Evidence(0.7, (0.6, 0.8), 0.01, p), alone=False) == verdict.replace("slower", "faster")


def test_a_difference_is_claimed_only_the_way_that_the_requests_went() -> None:
    assert _judge(1.3, 0.99, 1.4, p=0.01) == "cannot tell"
    assert _judge(0.7, 0.6, 1.01, p=0.01) == "cannot tell"


def test_what_a_recording_drifts_by_within_itself_is_no_noise_that_somebody_allowed_for() -> None:
    for drifted, verdict in ((False, "within noise"), (True, "cannot tell")):
        evidence = Evidence(1.1, (1.05, 1.2), 0.2, 1.0, drifted=drifted)
        assert judge(evidence, alone=False) == verdict
    assert judge(Evidence(1.02, (0.98, 1.09), 0.2, 1.0, drifted=True), alone=False) == "within noise"


def test_without_an_interval_nothing_is_called_noise() -> None:
    assert judge(Evidence(1.0, None, 0.01, 1.0), alone=False) == "cannot tell"


@given(st.floats(0.1, 10), st.floats(0, 1), st.floats(0, 0.5))
def test_one_recording_of_each_claims_nothing_unless_drift_is_allowed_for(
    ratio: float, p: float, allowance: float
) -> None:
    verdict = judge(Evidence(ratio, (ratio * 0.99, ratio * 1.01), allowance, p), alone=True)
    assert verdict == "cannot tell"


def test_a_wide_gap_among_few_noisy_requests_is_no_noise() -> None:
    """As a stage of 7 ms beside 50 ms whose requests overlap: nobody can tell, and nobody should call it the same."""
    before = summary(requests(50, 3) + requests(6, 2))
    row = _rows(before, summary(requests(7, 5)))["vision"]
    assert row.ratio == pytest.approx(0.14, abs=0.01)
    assert row.p is not None
    assert row.p > 0.05
    assert row.verdict == "cannot tell"


def test_the_interval_holds_the_ratio_that_is_shown_and_narrows_with_requests() -> None:
    few, many = (_rows(summary(requests(30, n)), summary(requests(33, n)))["vision"] for n in (5, 20))
    for row in (few, many):
        assert (row.low_ratio or 9) <= (row.ratio or 0) <= (row.high_ratio or 0)
        assert row.low_ratio == pytest.approx(1.1, abs=0.01)
        assert row.high_ratio == pytest.approx(1.1, abs=0.01)
    assert (many.high_ratio or 9) - (many.low_ratio or 0) < (few.high_ratio or 0) - (few.low_ratio or 9)


@pytest.mark.parametrize(("first", "ratio"), [((11, 9), 10), ((9, 11), 0.1)])
def test_medians_that_jump_between_two_humps_are_within_the_interval_that_is_shown(
    first: tuple[int, int], ratio: float
) -> None:
    """The shift of most pairs is none, and the medians lie in different humps."""
    quick, slow = first
    before = summary(requests(3, quick, louder=0) + requests(30, slow, louder=0))
    row = _rows(before, summary(requests(3, slow, louder=0) + requests(30, quick, louder=0)))["vision"]
    assert row.ratio == pytest.approx(ratio)
    assert (row.low_ratio, row.high_ratio) == pytest.approx((min(1, ratio), max(1, ratio)), rel=1e-4)
    assert row.verdict == "cannot tell"


def test_three_requests_a_side_have_no_interval_and_no_verdict() -> None:
    row = _rows(summary(requests(30, 3)), summary(requests(60, 3)))["vision"]
    assert (row.low_ratio, row.high_ratio, row.verdict) == (None, None, "not tested")


def test_one_recording_of_each_is_said_to_show_no_difference() -> None:
    pair = [summary(requests(30)), summary(requests(60))]
    (alone,) = compare(pair).pairs
    assert {row.verdict for row in alone.rows} == {"cannot tell"}
    assert "one recording of each run" in alone.notes[0]
    assert "--tolerance 3%" in alone.notes[0]
    assert "--recordings 5" in alone.notes[0]
    assert "tracer ab" in alone.notes[0]
    assert alone.notes[0].endswith("device times of the same kernels hang on that less, and may be compared")
    (allowed,) = compare(pair, tolerance=0.03).pairs
    assert allowed.notes == []
    assert next(row for row in allowed.rows if row.of == "vision").verdict == "slower"

from __future__ import annotations

import pytest
from support.chrome import Event, operator, span
from support.findings import found, latencies, recorded, steps

from tracer.findings.slow_first_token import FINDING

ID = FINDING.id


def test_a_slow_first_step() -> None:
    assert found(ID, *steps(extra=lambda k: 200 * (k == 1))) is not None
    assert found(ID, *steps(extra=lambda k: 200 * (k == 2))) is None


@pytest.mark.parametrize(("extra_us", "raised"), [(99, False), (109, True)])
def test_twice_the_median_step_is_the_threshold(extra_us: float, raised: bool) -> None:
    """The first step has no gap before it: 90 us and so much more, where the others take 100."""
    assert (found(ID, *steps(extra=lambda k: (extra_us + 2) * (k == 1))) is not None) == raised


@pytest.mark.parametrize(("count", "raised"), [(6, False), (7, True)])
def test_five_later_steps_are_too_few_to_compare_with(count: int, raised: bool) -> None:
    assert (found(ID, *steps(extra=lambda k: 200 * (k == 1), count=count)) is not None) == raised


def test_a_slow_first_request() -> None:
    slow, usual = latencies(prefill_us=300), latencies()
    finding = found(ID, *steps(), tracer=recorded(clean=[slow, usual, usual, usual]))
    assert finding is not None
    assert (finding.evidence["first_ns"], finding.evidence["others_ns"]) == (400_000, 200_000)
    assert found(ID, *steps(), tracer=recorded(clean=[usual, slow, usual, usual])) is None


@pytest.mark.parametrize(("prefill_us", "raised"), [(200, False), (201, True)])
def test_half_as_much_again_is_the_threshold_of_the_first_request(prefill_us: int, raised: bool) -> None:
    clean = [latencies(prefill_us=prefill_us), *[latencies()] * 3]
    assert (found(ID, *steps(), tracer=recorded(clean=clean)) is not None) == raised


@pytest.mark.parametrize(("others", "raised"), [(2, False), (3, True)])
def test_two_other_requests_are_too_few_to_compare_with(others: int, raised: bool) -> None:
    clean = [latencies(prefill_us=300), *[latencies()] * others]
    assert (found(ID, *steps(), tracer=recorded(clean=clean)) is not None) == raised


def test_a_slow_first_step_of_a_cpu_says_nothing_of_a_device() -> None:
    events: list[Event] = [span("tracer/request#0", 0, 10_000)]
    at = 0
    for k, length in enumerate([300, *[100] * 8]):
        events += [span(f"tracer/decode#{k + 1}", at, length), operator("aten::mm", at, length)]
        at += length
    assert found(ID, *events) is None
    slow = [latencies(prefill_us=300), *[latencies()] * 3]
    assert found(ID, *events, tracer=recorded(clean=slow)) is None


@pytest.mark.parametrize(("slowest_us", "raised"), [(190, True), (201, False)])
def test_a_first_request_among_others_as_wild_is_none(slowest_us: int, raised: bool) -> None:
    clean = [latencies(prefill_us=one) for one in (300, 100, 100, slowest_us)]
    assert (found(ID, *steps(), tracer=recorded(clean=clean)) is not None) == raised

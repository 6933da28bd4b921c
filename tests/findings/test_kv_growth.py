from __future__ import annotations

import pytest
from msgspec import structs
from support.chrome import trace_of
from support.findings import found, recorded, steps

from reports.text import render
from tracer.document.summary import Slope
from tracer.findings.kv_growth import FINDING
from tracer.summarize import summarize

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


def test_steps_grow_by_no_more_than_their_cache() -> None:
    """Steps of 90 us over a cache of 100 tokens grow by 0.9 us a token at most, if all they do goes by the cache."""
    for us_per_token, raised in ((0.8, True), (1.2, False)):
        finding = found(ID, *steps(extra=lambda k, each=us_per_token: each * k), tracer=recorded())
        assert (finding is not None) == raised


def test_growth_beyond_the_cache_is_told_as_such() -> None:
    summary = summarize(trace_of(*steps(extra=lambda k: 9 * k), tracer=recorded()))
    assert summary.decoding is not None
    assert summary.decoding.beyond_cache
    text = " ".join(render(summary).split())
    assert "device time grows by 9.00 µs a step (95 % interval 9.00 µs to 9.00 µs): more than the cache" in text


@pytest.mark.parametrize(
    ("low_ns", "high_ns", "text"),
    [
        (-5, -1, "device time falls by 3 ns a step"),
        (-5, 1, "does not grow measurably"),
        (1, 5, "grows by 3 ns per token"),
    ],
)
def test_an_interval_without_zero_is_never_called_unmeasurable(low_ns: float, high_ns: float, text: str) -> None:
    summary = summarize(trace_of(*steps(extra=lambda k: k)))
    assert summary.decoding is not None
    slope = Slope(ns=3 if high_ns > 0 else -3, low_ns=low_ns, high_ns=high_ns)
    changed = structs.replace(summary, decoding=structs.replace(summary.decoding, growth=slope))
    assert text in " ".join(render(changed).split())

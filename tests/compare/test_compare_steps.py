from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.manifests import latencies
from support.summaries import requests, summary

from tracer.compare.steps import compare_steps, overlaps
from tracer.document.comparison import Steps
from tracer.document.manifest import Latencies
from tracer.document.summary import Summary


def _run(*steps: int) -> Summary:
    request: Latencies = msgspec.structs.replace(latencies(), decode_ns=list(steps))
    return summary([request], kernels=())  # work that takes longer than a step would have the step doubted


def _latency(before: Summary, after: Summary, tolerance: float = 0.01) -> Steps:
    return next(steps for steps in compare_steps(before, after, tolerance) if steps.of == "latency")


def test_the_first_step_that_parts() -> None:
    found = _latency(_run(*[1000] * 20), _run(*[1000] * 12, *[1100] * 8))
    assert (found.first, found.parts_at, found.beyond) == (1, 13, 0.01)
    assert (found.delta_ns, found.ratio) == (0, 1)


def test_a_few_wild_steps_are_no_parting() -> None:
    wild = [1000] * 20
    wild[4], wild[5], wild[11] = 9000, 9000, 9000
    assert _latency(_run(*[1000] * 20), _run(*wild)).parts_at is None


def test_steps_that_differ_this_way_and_that_do_not_part() -> None:
    assert _latency(_run(*[1000] * 9), _run(*[1100, 900] * 4, 1100), tolerance=0.05).parts_at is None


def test_noise_from_step_to_step_widens_what_is_allowed() -> None:
    noisy = [1000, 1100, 1000, 1110, 990, 1100, 1000, 1090, 1000, 1100]
    found = _latency(_run(*noisy), _run(*[step + 60 for step in noisy]))
    assert found.beyond > 0.2
    assert found.parts_at is None
    assert found.delta_ns == 60


def test_three_deviations_of_the_noise_of_both_are_allowed() -> None:
    """Neighbours that differ by 1 % all along have 1.4826 times that over the root of two as their deviation."""
    one, both = (_latency(_run(*[1_000_000] * 9), _run(*steps)) for steps in ([1_000_000] * 9, [10**6, 1_010_000] * 5))
    assert one.beyond == 0.01
    assert both.beyond == pytest.approx(3 * 1.4826 * 0.00995 / 2**0.5, rel=1e-3)


@given(st.lists(st.integers(1, 10**6), min_size=3, max_size=20), st.integers(2, 9))
def test_steps_that_all_take_longer_part_at_the_first(steps: list[int], factor: int) -> None:
    found = _latency(_run(*steps), _run(*[step * factor for step in steps]))
    assert found.ratio == pytest.approx(factor)
    assert found.parts_at == (1 if factor - 1 > found.beyond + 1e-9 else None)


def test_only_steps_that_both_have_are_compared() -> None:
    found = _latency(_run(5, 6, 7, 8), _run(5, 6))
    assert (found.before_ns, found.after_ns) == ([5, 6], [5, 6])
    assert not [steps for steps in compare_steps(_run(), _run(1), 0.01) if steps.of == "latency"]


def test_device_time_is_taken_from_the_trace() -> None:
    slower = summary(kernels=(("decode#1", "gemv", 20), ("decode#2", "gemv", 45)))
    (found,) = compare_steps(summary(), slower, 0.01)
    assert (found.of, found.before_ns, found.after_ns) == ("device", [20_000, 20_000], [20_000, 45_000])


def test_how_many_steps_of_each_fit_into_the_prefill_of_the_other() -> None:
    before, after = summary(requests(prefill_ms=50, step_ms=20)), summary(requests(prefill_ms=150, step_ms=8))
    first, second = overlaps(before, after, ("A", "B"), "requests")
    assert (first.prefill_of, first.steps_of, first.steps) == ("A", "B", 6)  # 50 / 8
    assert (second.prefill_of, second.steps_of, second.steps) == ("B", "A", 7)  # 150 / 20
    assert overlaps(summary(requests(tokens=1)), summary(requests(tokens=1)), ("A", "B"), "requests") == []

from __future__ import annotations

import pytest
from support.chrome import operator, span, trace_of
from support.manifests import as_metadata, latencies, sample
from support.summaries import KERNELS, requests, summary

from tracer.compare.pairs import compare
from tracer.document.comparison import Row
from tracer.document.manifest import Latencies
from tracer.document.summary import Summary
from tracer.summarize import summarize

SLOWER_KERNEL = (KERNELS[0], ("prefill", "gemm", 70), *KERNELS[2:])


def _rows(*recordings: Summary, each: int = 1, tolerance: float | None = 0.01) -> dict[str, Row]:
    (pair,) = compare(recordings, tolerance=tolerance, recordings=each).pairs
    return {row.of: row for row in pair.rows if not row.per}


def test_a_stage_has_its_device_time_beside_its_latency_and_a_step_beside_tpot() -> None:
    rows = _rows(summary(requests()), summary(requests(), kernels=SLOWER_KERNEL))
    assert (rows["prefill"].before_device_ns, rows["prefill"].after_device_ns) == (50_000, 70_000)
    assert (rows["tpot"].before_device_ns, rows["tpot"].after_device_ns) == (20_000, 20_000)
    assert (rows["decode"].before_device_ns, rows["request"].before_device_ns) == (None, None)
    assert rows["load"].before_device_ns is None


def test_a_slower_stage_whose_device_did_the_same_work_in_the_same_time_is_the_hosts() -> None:
    rows = _rows(summary(requests()), summary(requests(prefill_ms=70)))
    assert (rows["prefill"].verdict, rows["prefill"].of_host) == ("slower", True)
    assert not rows["vision"].of_host


@pytest.mark.parametrize(("device_us", "of_host"), [(51, True), (51.1, False), (49.1, True), (48.9, False)])
def test_kernels_that_take_longer_or_less_by_more_than_a_fiftieth_are_not_the_hosts(
    device_us: float, of_host: bool
) -> None:
    kernels = (KERNELS[0], ("prefill", "gemm", device_us), *KERNELS[2:])
    rows = _rows(summary(requests()), summary(requests(prefill_ms=70), kernels=kernels))
    assert rows["prefill"].of_host is of_host


def test_a_stage_that_takes_as_long_as_before_owes_nothing_to_anybody() -> None:
    rows = _rows(summary(requests()), summary(requests(prefill_ms=51)), tolerance=0.05)
    assert not rows["prefill"].of_host


@pytest.mark.parametrize(("prefill_ms", "of_host"), [(53.4, False), (53.6, True)])
def test_what_the_allowance_and_the_kernels_spread_explain_is_not_put_on_the_host(
    prefill_ms: float, of_host: bool
) -> None:
    """7 % of 50 ms: 5 % are allowed for, and the same kernels differ by up to 2 %; so noisy that nobody can tell."""
    before = summary(requests(louder=0))
    row = _rows(before, summary(_shaken(prefill_ms)), tolerance=0.05)["prefill"]
    assert (row.verdict, row.of_host) == ("cannot tell", of_host)


def _shaken(prefill_ms: float) -> list[Latencies]:
    """A median as given, and requests far to both sides of it."""
    return [latencies(prefill_ms=prefill_ms * share) for share in (0.5, 0.6, 0.7, 1, 1, 1.5, 1.6, 1.7)]


def test_of_other_samples_nothing_is_said_of_the_host() -> None:
    def run(name: str, prefill_ms: float) -> Summary:
        clean = [*requests(prefill_ms=prefill_ms), *requests(prefill_ms=prefill_ms, sample=1)]
        return summary(clean, samples=[sample(f"{name}0"), sample(f"{name}1")])

    assert _rows(run("a", 50), run("a", 70))["prefill"].of_host
    assert not _rows(run("a", 50), run("b", 70))["prefill"].of_host


def test_of_several_recordings_the_median_counts() -> None:
    slow = [summary(requests(), kernels=SLOWER_KERNEL)]
    rows = _rows(*[summary(requests())] * 4, *[summary(requests())] * 3, *slow, each=4)
    assert (rows["prefill"].before_device_ns, rows["prefill"].after_device_ns) == (50_000, 50_000)


def test_operators_of_a_cpu_are_no_device_work() -> None:
    trace = trace_of(span("tracer/prefill", 0, 99), operator("aten::mm", 1, 50), tracer=as_metadata(requests()))
    rows = _rows(summarize(trace), summarize(trace))
    assert rows["prefill"].before_device_ns is None

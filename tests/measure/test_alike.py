"""Data sets: every ratio compares a sample with itself, or with one of the same shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.chrome import kernel, launch, span, trace_of
from support.manifests import as_metadata, latencies, manifest, sample

from tracer.document.manifest import Cost, Costs, Latencies, Manifest, Shape
from tracer.measure.alike import alike
from tracer.measure.distortion import distortion
from tracer.summarize import Choices, summarize

if TYPE_CHECKING:
    from support.chrome import Event

    from tracer.document.summary import Summary

SCHEDULE = {"schedule": {"wait": 0, "warmup": 0, "active": 1, "repeat": 1}}
COST = Costs(
    vision=Cost(flops=50 * 10**12, weight_bytes=10**9, kv_bytes=0),
    prefill=Cost(flops=150 * 10**12, weight_bytes=10**10, kv_bytes=0),
    decode=[Cost(flops=10**10, weight_bytes=10**10, kv_bytes=10**8)] * 2,
)


def _large_first(visual: int = 5000) -> tuple[list[Latencies], list[Any]]:
    """Five samples, the first of which has ten times the pictures of the others."""
    sizes = [(100, 300, 20), *[(10, 30, 20)] * 4]
    clean = [latencies(v, prefill_ms=p, step_ms=s, sample=i) for i, (v, p, s) in enumerate(sizes)]
    return clean, [sample(f"s{i}", visual=500 if i else visual) for i in range(5)]


def _request() -> list[Event]:
    """The first sample, as long as without a profiler."""
    events = [span("tracer/request#0", 0, 441_000), span("tracer/vision", 0, 100_000), launch(10, 5, 1)]
    events += [kernel("gemm", 20, 99_000, 1), span("tracer/prefill", 100_000, 300_000), launch(100_010, 5, 2)]
    events.append(kernel("gemm", 100_020, 299_000, 2))
    for k in (1, 2):
        at = 400_000 + (k - 1) * 20_000
        events += [span(f"tracer/decode#{k}", at, 20_000), launch(at + 5, 5, 10 + k)]
        events.append(kernel("gemm", at + 10, 19_000, 10 + k))
    return events


def _summary(clean: list[Latencies], samples: list[Any], **changes: Any) -> Summary:
    shape = Shape(batch_size=1, frames=5, visual_tokens=5000, prompt_tokens=64, new_tokens=3)
    fields = {"samples": samples, "shape": shape, "cost": COST, "options": SCHEDULE, **changes}
    return summarize(
        trace_of(*_request(), tracer=as_metadata(clean, **fields)), Choices(peak_tflops=1000, peak_gbs=3000)
    )


def test_a_profiler_that_costs_nothing_costs_nothing_of_a_data_set_either() -> None:
    clean, samples = _large_first()
    summary = _summary(clean, samples, profiled=[latencies(100, prefill_ms=300, sample=0)])
    assert summary.latency is not None
    assert set(summary.latency.distortion.values()) == {1.0}
    assert {"profiler-distorts", "slow-first-token"}.isdisjoint(finding.id for finding in summary.findings)
    times = {time.stage: (time.step_ns, time.clean) for time in summary.budget}
    assert times == {"vision": (100e6, True), "prefill": (300e6, True), "decode": (20e6, True)}
    assert summary.roofline is not None
    mfu = {row.stage: row.mfu for row in summary.roofline.stages}
    assert (mfu["vision"], mfu["prefill"]) == (pytest.approx(0.5), pytest.approx(0.5))


def test_a_sample_that_was_only_profiled_is_compared_with_none_and_taken_from_the_trace() -> None:
    clean, samples = _large_first()
    summary = _summary(clean[1:], samples, profiled=[latencies(100, prefill_ms=300, sample=0)])
    assert summary.latency is not None
    assert summary.latency.distortion == {}
    times = {time.stage: (time.step_ns, time.clean) for time in summary.budget}
    assert not any(clean for _, clean in times.values())
    assert times["vision"][0] == pytest.approx(100e6, rel=0.02)


def test_a_sample_of_the_same_shape_stands_in_for_all_but_what_goes_by_the_file() -> None:
    clean, samples = _large_first(visual=500)
    found = distortion(manifest(clean[1:], samples=samples, profiled=[latencies(20, prefill_ms=30, sample=0)]))
    assert found == {"vision": 2.0, "prefill": 1.0, "decode": 1.0}


def test_a_profiler_that_slows_a_sample_is_found_whatever_the_others_take() -> None:
    clean, samples = _large_first()
    summary = _summary(clean, samples, profiled=[latencies(200, prefill_ms=300, sample=0)])
    assert summary.latency is not None
    assert summary.latency.distortion["vision"] == 2.0


def test_without_samples_all_requests_are_alike() -> None:
    one_input = manifest([latencies(sample=0), latencies(sample=7)])
    assert alike(one_input, -1, "load") == one_input.clean


def test_an_answer_as_a_whole_compares_with_equally_long_ones_and_its_steps_with_any() -> None:
    several = manifest(
        [latencies(sample=1), latencies(sample=2)],
        samples=[sample("a", tokens=3), sample("b", tokens=9), sample("c", tokens=3)],
    )
    assert alike(several, 0, "decode", whole=True) == several.clean[1:]
    assert alike(several, 0, "decode") == several.clean
    assert alike(several, 9, "decode") == []


def _many(samples: int, slow_us: float = 0) -> tuple[list[Event], Manifest]:
    """Nine requests of three steps, whose samples alternate if there are two: the steps of the second take double."""
    events: list[Event] = []
    at = 0.0
    for number in range(9):
        length = 50 * (1 + (number % samples)) + number * slow_us
        events.append(span(f"tracer/request#{number}", at, 3 * length))
        for k in (1, 2, 3):
            correlation = 10 * number + k
            events += [span(f"tracer/decode#{k}", at, length), launch(at + 1, 1, correlation)]
            events.append(kernel("k", at + 5, length, correlation))
            at += length
    given = [sample(f"s{i}", visual=100 * (i + 1)) for i in range(samples)]
    schedule = {"schedule": {"wait": 0, "warmup": 0, "active": 9, "repeat": 1}}
    clean = [latencies(sample=i % samples) for i in range(9)]
    return events, as_metadata(clean, samples=given if samples > 1 else [], options=schedule)


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("slow_us", [0, 2])
def test_drift_and_outliers_are_of_requests_that_are_alike(samples: int, slow_us: float) -> None:
    events, metadata = _many(samples, slow_us)
    decoding = summarize(trace_of(*events, tracer=metadata)).decoding
    assert decoding is not None
    assert decoding.drift is not None
    assert decoding.drift.ns == pytest.approx(3 * slow_us * 1000)
    assert decoding.outliers == []
    assert decoding.kv_tokens == ([647, 649] if samples == 1 else [165, 267])


def test_of_samples_that_nothing_tells_apart_there_is_neither_drift_nor_a_length_of_the_cache() -> None:
    events, metadata = _many(2)
    metadata["options"] = {}
    summary = summarize(trace_of(*events, tracer=metadata))
    assert summary.decoding is not None
    assert (summary.decoding.drift, summary.decoding.kv_tokens) == (None, [])
    assert not summary.budget[0].clean

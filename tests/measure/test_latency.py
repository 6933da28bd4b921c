"""Latencies out of a manifest."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chrome import span, trace_of
from support.manifests import as_metadata, latencies

from reports.text import render
from tracer.document.manifest import SCHEMA, Latencies, Manifest, Shape, Verification
from tracer.document.summary import Latency
from tracer.measure.latency import clean_latency, percentile, percentiles
from tracer.measure.requests import request_rows
from tracer.summarize import summarize


def _latency(stages: list[str], clean: Latencies, profiled: Latencies) -> Latency:
    manifest = _manifest(stages, clean, profiled)
    latency = clean_latency(manifest, request_rows(manifest))
    assert latency is not None
    return latency


def _manifest(stages: list[str], clean: Latencies, profiled: Latencies) -> Manifest:
    return Manifest(
        schema=SCHEMA, version="0", model={}, software={}, device={}, dtype="", seed=0,
        shape=Shape(batch_size=1, frames=0, visual_tokens=0, prompt_tokens=0, new_tokens=0), coupled=False,
        synchronised=False, clock="host", options={}, verification=Verification(status="skipped"),
        clean=[clean], profiled=[profiled], stages=stages,
    )  # fmt: skip


def _latencies(**times: object) -> Latencies:
    return Latencies(**{"load_ns": 0, "preprocess_ns": 0, "vision_ns": 0, "prefill_ns": 0, "decode_ns": [], **times})  # type: ignore[arg-type]


def test_stages_that_nobody_marked_are_absent_and_time_in_none_is_told() -> None:
    clean = _latencies(vision_ns=10, prefill_ns=20, decode_ns=[5, 7], outside_ns=3, outside_later_ns=4)
    profiled = _latencies(vision_ns=20, prefill_ns=30, decode_ns=[10, 14], outside_ns=9)
    latency = _latency(["vision", "prefill", "decode"], clean, profiled)
    assert latency.stages_ns == {"vision": 10, "prefill": 20, "decode": 12}
    assert (latency.ttft_ns, latency.tpot_ns, latency.request_ns, latency.outside_ns) == (33, 6, 49, 7)
    assert latency.distortion == {"vision": 2.0, "prefill": 1.5, "decode": 2.0}


def test_decoding_as_a_whole_has_a_time_and_no_tokens() -> None:
    latency = _latency(
        ["vision", "decode"], _latencies(vision_ns=1, decode_whole_ns=50), _latencies(decode_whole_ns=75)
    )
    assert latency.stages_ns == {"vision": 1, "decode": 50}
    assert (latency.ttft_ns, latency.tpot_ns, latency.itl_ns, latency.request_ns) == (None, None, None, 51)
    assert latency.distortion == {"vision": 0.0, "decode": 1.5}


def test_tokens_a_second_are_those_of_all_sequences_of_the_batch() -> None:
    one = _manifest(["prefill", "decode"], _latencies(prefill_ns=1, decode_ns=[4, 6]), _latencies(decode_ns=[1, 1]))
    four = replace(one, shape=replace(one.shape, batch_size=4))
    rates = [latency.tokens_per_s for m in (one, four) if (latency := clean_latency(m, request_rows(m)))]
    assert rates == [1e9 / 5, 4e9 / 5]


def test_decoding_is_distorted_by_the_steps_that_were_profiled_and_no_others() -> None:
    clean = _latencies(decode_ns=[100, 100, 10, 20, 100])
    assert _latency(["decode"], clean, _latencies(decode_ns=[20, 70], first_step=3)).distortion == {"decode": 3.0}
    assert _latency(["decode"], clean, _latencies(decode_ns=[20, 70], first_step=6)).distortion == {}
    shorter = _latencies(decode_ns=[100, 100, 10])
    assert _latency(["decode"], shorter, _latencies(decode_ns=[20, 70], first_step=3)).distortion == {"decode": 2.0}


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([40, 10, 30, 20], 50, 20), ([40, 10, 30, 20], 51, 30), ([7], 99, 7), (range(1, 101), 99, 99), ([1, 2], 1, 1)],
)
def test_a_percentile_is_an_observed_value_at_or_above_so_many_of_the_others(
    values: list[int], percent: int, expected: int
) -> None:
    assert percentile(values, percent) == expected


def test_the_shown_percentiles_are_half_nine_tenths_and_all_but_a_hundredth() -> None:
    shown = percentiles(range(1, 1001))
    assert shown is not None
    assert (shown.p50, shown.p90, shown.p99) == (500, 900, 990)
    assert percentiles([]) is None


def test_steps_that_yield_several_tokens_are_said_to() -> None:
    guessed = replace(latencies(tokens=3), step_tokens=[3, 1])
    summary = summarize(trace_of(span("tracer/vision", 0, 9), tracer=as_metadata([guessed])))
    assert summary.latency is not None
    assert (summary.latency.tokens_per_step, summary.latency.tpot_ns) == (2.0, 10_000_000)
    assert "between steps, each of which yields 2.00 tokens on average: p50 20.0 ms" in render(summary)
    plain = summarize(trace_of(span("tracer/vision", 0, 9), tracer=as_metadata([latencies(tokens=3)])))
    assert "between tokens: p50 20.0 ms" in render(plain)

from __future__ import annotations

import pytest
from support.chrome import span, trace_of
from support.manifests import MS, as_metadata, latencies, sample

from tracer.document.summary import Summary, decode, encode
from tracer.summarize import summarize


def _summary(*arguments: object, **changes: object) -> Summary:
    metadata = as_metadata(*arguments, **changes)  # type: ignore[arg-type]
    return summarize(trace_of(span("tracer/vision", 0, 9), tracer=metadata))


def test_each_request_is_kept_with_what_it_was_given() -> None:
    samples = [sample("a.npy", visual=100, tokens=2), sample("b.npy", tokens=3, batch_size=2)]
    clean = [latencies(30, tokens=2), latencies(40, tokens=3, sample=1)]
    first, second = _summary(clean, samples=samples).requests
    assert first.stages_ns == {
        "load": MS, "preprocess": 2 * MS, "vision": 30 * MS, "prefill": 50 * MS, "decode": 20 * MS,
    }  # fmt: skip
    assert (first.sample_name, first.visual_tokens, first.new_tokens, first.decode_ns) == ("a.npy", 100, 2, [20 * MS])
    assert (second.sample, second.sample_name, second.batch_size, second.new_tokens) == (1, "b.npy", 2, 3)
    assert second.decode_ns == [20 * MS, 20 * MS]


def test_statistics_over_requests() -> None:
    latency = _summary([latencies(vision) for vision in (30, 31, 32, 33, 50)]).latency
    assert latency is not None
    found = {row.of: row for row in latency.statistics}
    assert list(found) == ["load", "preprocess", "vision", "prefill", "decode", "request", "ttft", "tpot"]
    vision = found["vision"]
    assert (vision.n, vision.mean_ns, vision.p50_ns, vision.p95_ns) == (5, 35.2 * MS, 32 * MS, 50 * MS)
    assert (vision.low_ns, vision.high_ns, vision.level, vision.interval_of) == (30 * MS, 50 * MS, 0.9375, "median")
    assert (found["tpot"].p50_ns, found["ttft"].p50_ns, found["request"].p50_ns) == (20 * MS, 85 * MS, 125 * MS)
    assert (found["load"].low_ns, found["load"].high_ns) == (MS, MS)
    assert latency.samples == []


def test_p95_is_the_request_at_or_above_nineteen_in_twenty() -> None:
    latency = _summary([latencies(vision) for vision in range(21, 0, -1)]).latency
    assert latency is not None
    assert next(row.p95_ns for row in latency.statistics if row.of == "vision") == 20 * MS


def test_answers_of_one_token_have_no_tpot() -> None:
    latency = _summary([latencies(tokens=1), latencies(tokens=1)]).latency
    assert latency is not None
    assert "tpot" not in {row.of for row in latency.statistics}


def test_four_requests_have_no_interval_and_six_one_of_the_stated_level() -> None:
    four, six = (_summary([latencies(30 + i) for i in range(count)]).latency for count in (4, 6))
    assert four is not None
    assert six is not None
    assert {(row.n, row.low_ns, row.high_ns, row.level) for row in four.statistics} == {(4, None, None, None)}
    vision = next(row for row in six.statistics if row.of == "vision")
    assert vision.level == 0.95
    assert 30 * MS < (vision.low_ns or 0) < 31 * MS < 34 * MS < (vision.high_ns or 0) < 35 * MS


def test_each_sample_has_statistics_of_its_own() -> None:
    clean = [latencies(vision, sample=number % 2) for number, vision in enumerate((10, 20, 11, 21, 12, 22))]
    summary = _summary(clean, samples=[sample("a"), sample("b", visual=7)])
    assert summary.latency is not None
    means = [(one.name, one.visual_tokens, one.statistics[2].mean_ns) for one in summary.latency.samples]
    assert means == [("a", 582, 11 * MS), ("b", 7, 21 * MS)]
    assert decode(encode(summary)) == summary


@pytest.mark.parametrize("wrong", [{"load_ns": -1}, {"vision_ns": 10**40}, {"decode_ns": [1 << 60]}, {"sample": -1}])
def test_a_manifest_with_impossible_times_is_none(wrong: dict[str, object]) -> None:
    metadata = as_metadata([latencies()])
    metadata["clean"][0] |= wrong
    summary = summarize(trace_of(span("tracer/vision", 0, 9), tracer=metadata))
    assert (summary.latency, summary.requests, summary.run) == (None, [], None)


def test_a_sample_that_is_not_listed_is_taken_for_the_first() -> None:
    (request,) = _summary([latencies(sample=9)], samples=[sample("a")]).requests
    assert (request.sample, request.sample_name, request.visual_tokens) == (0, "", 582)

from __future__ import annotations

import msgspec
import pytest
from support.chrome import span, trace_of
from support.manifests import as_metadata, latencies, sample

from reports.text import render
from tracer.document.summary import Summary
from tracer.summarize import summarize


def _summary(*arguments: object, **changes: object) -> Summary:
    metadata = as_metadata(*arguments, **changes)  # type: ignore[arg-type]
    return summarize(trace_of(span("tracer/vision", 0, 9), tracer=metadata))


def _latency_lines(summary: Summary, width: int = 80) -> list[str]:
    return render(summary, width=width).split("\nlatency\n")[1].splitlines()


def test_several_requests_show_the_medians_interval_the_mean_and_the_95th_percentile() -> None:
    lines = _latency_lines(_summary([latencies(vision) for vision in (30, 30, 33, 30, 31)]))
    assert lines[2:9] == [
        "           load  preprocess   vision  prefill   decode  request",
        "clean   1.00 ms     2.00 ms  30.0 ms  50.0 ms  40.0 ms   123 ms",
        "  from  1.00 ms     2.00 ms  30.0 ms  50.0 ms  40.0 ms   123 ms",
        "  to    1.00 ms     2.00 ms  33.0 ms  50.0 ms  40.0 ms   126 ms",
        "mean    1.00 ms     2.00 ms  30.8 ms  50.0 ms  40.0 ms   124 ms",
        "p95     1.00 ms     2.00 ms  33.0 ms  50.0 ms  40.0 ms   126 ms",
        "share      0.8%        1.6%    24.4%    40.7%    32.5%",
    ]
    assert "From, to: the median's 94 % interval" in " ".join(lines)


def test_six_requests_have_the_interval_that_is_stated_and_an_older_document_is_said_to_be_of_the_mean() -> None:
    summary = _summary([latencies(vision) for vision in (30, 30, 33, 30, 31, 32)])
    assert "the median's 95 % interval" in " ".join(_latency_lines(summary))
    latency = summary.latency
    assert latency is not None
    older = [msgspec.structs.replace(one, interval_of="mean", level=None) for one in latency.statistics]
    summary = msgspec.structs.replace(summary, latency=msgspec.structs.replace(latency, statistics=older))
    assert "the mean's 95 % interval" in " ".join(_latency_lines(summary))


def test_one_request_has_no_statistics_and_two_no_interval() -> None:
    one, two = _latency_lines(_summary([latencies()])), _latency_lines(_summary([latencies(), latencies()]))
    assert not [line for line in one if line.startswith(("mean", "p95", "  from"))]
    assert [line.split()[0] for line in two[3:7]] == ["clean", "mean", "p95", "share"]


def test_samples_are_one_line_with_the_quickest_and_the_slowest() -> None:
    samples = [sample("a.npy"), sample("\x1b[2J/all/a/very/long/folder/b.npy"), sample("never measured")]
    clean = [latencies(30), latencies(90, sample=1)]
    text = " ".join(_latency_lines(_summary(clean, samples=samples)))
    assert "2 samples: request p50 from 123 ms (a.npy) to 183 ms (…/very/long/folder/b.npy)" in text


@pytest.mark.parametrize("width", [20, 60, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    summary = _summary([latencies(30), latencies(90, sample=1)], samples=[sample("a"), sample("b")])
    assert max(map(len, render(summary, width=width).splitlines())) <= width

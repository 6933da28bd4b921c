"""A clean latency far below the time in which the device worked for a stage is no latency of it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace
from support.chrome import read_bytes
from support.manifests import as_metadata, latencies
from support.summaries import requests, summary

from reports.text import render
from tracer.compare.pairs import compare
from tracer.document.summary import measures
from tracer.summarize import summarize

if TYPE_CHECKING:
    from tracer.document.summary import Summary

# Recorded on an H100: a kernel of 15.15 ms on a stream that nobody waits for; events on the current one said 0.13 ms.
SIDE_STREAM = Path(__file__).parents[1] / "data" / "h100_side_stream.json.gz"
BY_EVENTS_NS = 127_744
BY_HOST_NS = 15_364_814


def _recorded(vision_ns: int) -> Summary:
    document = json.loads(gzip.decompress(SIDE_STREAM.read_bytes()))
    clean = [replace(latencies(), vision_ns=vision_ns)] * 3
    document["tracer"] = as_metadata(clean, profiled=clean[:1], stages=["vision"])
    return summarize(read_bytes(json.dumps(document).encode()))


def test_work_on_a_stream_that_nobody_waits_for_is_not_measured_by_events_on_another() -> None:
    found = _recorded(BY_EVENTS_NS)
    (vision,) = found.budget
    assert (vision.doubted_ns, vision.clean, vision.busy_ns) == (BY_EVENTS_NS, False, 15_152_792)
    assert vision.step_ns >= vision.busy_ns
    assert found.latency is not None
    assert (found.latency.stages_ns, found.latency.distortion) == ({}, {})
    assert "vision" not in {one.of for one in found.latency.statistics}
    (warning,) = [warning for warning in found.trace.warnings if "no latency" in warning]
    assert warning.startswith("vision took 127.74 µs by the recording's clock, but the device worked 15.15 ms for it")
    assert "so that is no latency of it" in " ".join(render(found).split())


def test_a_stage_that_was_waited_for_keeps_its_latency() -> None:
    found = _recorded(BY_HOST_NS)
    (vision,) = found.budget
    assert (vision.doubted_ns, vision.clean, vision.step_ns) == (None, True, BY_HOST_NS)
    assert found.latency is not None
    assert found.latency.stages_ns == {"vision": BY_HOST_NS}
    assert not [warning for warning in found.trace.warnings if "no latency" in warning]


def test_without_decodes_latency_nothing_is_said_per_token_and_without_prefills_nothing_of_the_first() -> None:
    kernels = (("prefill", "gemm", 500_000), ("decode#1", "gemv", 900_000), ("decode#2", "gemv", 1_500_000))
    found = summary(requests(), kernels=kernels).latency
    assert found is not None
    assert (found.ttft_ns, found.tpot_ns, found.itl_ns, found.tokens_per_s) == (None, None, None, None)
    assert list(found.stages_ns) == ["load", "preprocess", "vision"]
    whole = summary(requests()).latency
    assert whole is not None
    assert None not in (whole.ttft_ns, whole.tpot_ns, whole.itl_ns)


def test_what_is_doubted_is_in_no_request_and_no_comparison_rests_on_it() -> None:
    doubted, believed = _recorded(BY_EVENTS_NS), _recorded(BY_HOST_NS)
    for request in doubted.requests:
        assert request.stages_ns == {}
        assert request.outside_ns == BY_EVENTS_NS
    (pair,) = compare([doubted, believed], tolerance=0.01).pairs
    (vision,) = [row for row in pair.rows if row.of == "vision" and not row.per]
    assert (vision.before_ns, vision.verdict) == (None, "one side only")
    (pair,) = compare([believed, believed], tolerance=0.01).pairs
    assert next(row for row in pair.rows if row.of == "vision").before_ns == BY_HOST_NS


def test_doubted_steps_leave_the_request_as_long_as_it_was_and_its_first_token_where_it_was() -> None:
    kernels = (("decode#1", "gemv", 900_000), ("decode#2", "gemv", 1_500_000))
    quick, whole = summary(requests(), kernels=kernels), summary(requests())
    for less, request in zip(quick.requests, whole.requests, strict=True):
        assert less.decode_ns == []
        assert less.outside_later_ns == sum(request.decode_ns)
        assert (measures(less)["request"], measures(less)["ttft"]) == (
            measures(request)["request"], measures(request)["ttft"],
        )  # fmt: skip
        assert "tpot" not in measures(less)

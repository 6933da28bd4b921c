from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from support.chrome import operator, span
from support.findings import GEMM, found, latencies, recorded, stage
from support.manifests import sample

from tracer.document.names import DECODE, LOAD, PREFILL, PREPROCESS, VISION
from tracer.findings.preprocess_dominates_ttft import FINDING

if TYPE_CHECKING:
    from tracer.document.manifest import Latencies

ID = FINDING.id
US = 1000
PREPARED = [span("tracer/load", 0, 10), span("tracer/preprocess", 10, 60), *stage("tracer/vision", 100, 5, [GEMM])]


def _request(load_us: int, preprocess_us: int, **changes: Any) -> Latencies:
    """300 us of vision and prefill behind these."""
    taken = latencies(vision_us=100, prefill_us=200)
    return replace(taken, load_ns=load_us * US, preprocess_ns=preprocess_us * US, **changes)


@pytest.mark.parametrize(("preprocess_us", "raised"), [(90, False), (91, True)])
def test_a_quarter_of_the_time_to_the_first_token_is_the_threshold(preprocess_us: int, raised: bool) -> None:
    """10 us of load, 300 us of the model."""
    clean = [_request(10, preprocess_us)]
    assert (found(ID, *PREPARED, tracer=recorded(clean=clean)) is not None) == raised


def test_the_share_is_of_the_median_request_whatever_its_decoding_takes() -> None:
    """Decoding comes behind the first token, and one slow request is not the usual one."""
    usual, slow = _request(10, 50), _request(10, 5000)
    assert found(ID, *PREPARED, tracer=recorded(clean=[usual, slow, usual])) is None
    long = replace(_request(10, 190), decode_ns=[10_000_000] * 4)
    finding = found(ID, *PREPARED, tracer=recorded(clean=[long, long, usual]))
    assert finding is not None
    assert finding.message == (
        "load and preprocess take 40% of the time to the first token: 200.00 µs of 500.00 µs, without a profiler, "
        "before the model begins"
    )
    assert (finding.evidence["ttft_ns"], finding.evidence["requests"]) == (500 * US, 3)
    assert finding.evidence["stages"] == {"load": 10 * US, "preprocess": 190 * US}


def test_of_samples_each_is_held_to_its_own_first_token() -> None:
    """One has a slow file, the other a long prompt: the medians of both would give half."""
    clean = [_request(100, 0, sample=0), _request(0, 100, sample=1, prefill_ns=900 * US)]
    samples = [sample("a"), sample("b")]
    finding = found(ID, *PREPARED, tracer=recorded(clean=clean * 2, samples=samples))
    assert finding is None
    finding = found(ID, *PREPARED, tracer=recorded(clean=[*clean, clean[0]], samples=samples))
    assert finding is None  # 100 of 400 us is a quarter, and no more


def test_the_gain_is_all_of_it_of_a_request() -> None:
    finding = found(ID, *PREPARED, tracer=recorded(clean=[_request(50, 250)]))
    assert finding is not None
    assert finding.gain is not None
    assert finding.gain.at_most
    assert (finding.gain.time_ns, finding.gain.of_ns) == (300 * US, 1000 * US)


def test_what_the_trace_does_not_hold_has_no_gain() -> None:
    finding = found(ID, *stage("tracer/vision", 0, 5, [GEMM]), tracer=recorded(clean=[_request(50, 250)]))
    assert finding is not None
    assert finding.gain is None


def test_a_trace_alone_says_nothing_since_the_profiler_slows_the_host() -> None:
    assert found(ID, *PREPARED) is None


def test_without_a_marked_prefill_there_is_no_first_token() -> None:
    clean = [_request(10, 900)]
    marked = [LOAD, PREPROCESS, VISION, DECODE]
    assert found(ID, *PREPARED, tracer=recorded(clean=clean, stages=marked)) is None
    assert found(ID, *PREPARED, tracer=recorded(clean=clean, stages=[*marked, PREFILL])) is not None


def test_a_stage_that_nobody_marked_is_not_named() -> None:
    clean = [_request(0, 300)]
    finding = found(ID, *PREPARED, tracer=recorded(clean=clean, stages=[PREPROCESS, VISION, PREFILL, DECODE]))
    assert finding is not None
    assert finding.message.startswith("preprocess takes 50% of the time to the first token")


def test_on_a_cpu_whatever_else_runs_takes_as_much_from_either() -> None:
    events = [span("tracer/preprocess", 0, 60), span("tracer/vision", 60, 60), operator("aten::mm", 70, 40)]
    assert found(ID, *events, tracer=recorded(clean=[_request(10, 500)] * 3)) is None

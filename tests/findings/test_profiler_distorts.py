from __future__ import annotations

import pytest
from support.chrome import operator, span
from support.findings import GEMM, found, latencies, recorded, stage

from tracer.findings.profiler_distorts import FINDING

ID = FINDING.id


@pytest.mark.parametrize(("profiled_us", "raised"), [(105, False), (109, False), (111, True), (120, True)])
def test_a_profiler_in_the_way(profiled_us: int, raised: bool) -> None:
    metadata = recorded(clean=[latencies()] * 3, profiled=[latencies(prefill_us=profiled_us)])
    finding = found(ID, *stage("tracer/prefill", 0, 5, [GEMM] * 10), tracer=metadata)
    assert (finding is not None) == raised


def test_without_a_measurement_apart_nothing_is_known_of_the_profiler() -> None:
    assert found(ID, *stage("tracer/prefill", 0, 5, [GEMM] * 10)) is None


def test_the_stage_that_is_slowed_most_is_named() -> None:
    metadata = recorded(clean=[latencies()] * 3, profiled=[latencies(vision_us=120, prefill_us=150)])
    stages = stage("tracer/vision", 0, 5, [GEMM] * 10), stage("tracer/prefill", 500, 5, [GEMM] * 10, first=50)
    finding = found(ID, *stages[0], *stages[1], tracer=metadata)
    assert finding is not None
    assert finding.message == "the profiler made prefill 1.50 times slower"
    assert finding.evidence["ratios"] == {"vision": 1.2, "prefill": 1.5}


@pytest.mark.parametrize(("profiled_us", "raised"), [(130, False), (159, False), (161, True)])
def test_what_requests_differ_by_without_a_profiler_is_not_the_profilers(profiled_us: int, raised: bool) -> None:
    """The slowest of them is 30 us above their median."""
    clean = [latencies(prefill_us=one) for one in (95, 100, 100, 105, 130)]
    metadata = recorded(clean=clean, profiled=[latencies(prefill_us=profiled_us)])
    assert (found(ID, *stage("tracer/prefill", 0, 5, [GEMM] * 10), tracer=metadata) is not None) == raised


@pytest.mark.parametrize(("requests", "raised"), [(2, False), (3, True)])
def test_two_requests_say_nothing_of_how_far_they_lie_apart(requests: int, raised: bool) -> None:
    metadata = recorded(clean=[latencies()] * requests, profiled=[latencies(prefill_us=200)])
    assert (found(ID, *stage("tracer/prefill", 0, 5, [GEMM] * 10), tracer=metadata) is not None) == raised


@pytest.mark.parametrize(("requests", "raised"), [(1, False), (2, False), (3, True)])
def test_on_a_cpu_one_recorded_request_may_have_been_slow_by_itself(requests: int, raised: bool) -> None:
    metadata = recorded(clean=[latencies()] * 5, profiled=[latencies(prefill_us=200)] * requests)
    events = [span("tracer/prefill", 0, 100), operator("aten::mm", 1, 90)]
    assert (found(ID, *events, tracer=metadata) is not None) == raised

from __future__ import annotations

import pytest
from support.chrome import kernel, launch, operator, span
from support.findings import GEMM, found, latencies, recorded, stage

from tracer.findings.bottleneck_stage import FINDING

ID = FINDING.id


def test_the_biggest_stage_is_set_against_vision() -> None:
    events = stage("tracer/vision", 0, 5, [GEMM] * 2) + stage("tracer/prefill", 100, 5, [GEMM] * 8, first=50)
    decode = [span("tracer/decode#1", 300, 50), launch(301, 1, 99), kernel(GEMM, 305, 30, 99)]
    finding = found(ID, *events, *decode)
    assert finding is not None
    assert finding.message == "LLM prefill takes 61.5 % of device time: 4.0 x vision"
    assert finding.evidence["next"] == "decode"


def test_vision_itself_is_set_against_the_next() -> None:
    events = stage("tracer/vision", 0, 5, [GEMM] * 8) + stage("tracer/prefill", 100, 5, [GEMM] * 2, first=50)
    finding = found(ID, *events)
    assert finding is not None
    assert finding.message == "vision takes 80.0 % of device time: 4.0 x prefill"


@pytest.mark.parametrize(("second", "raised"), [(20, False), (19.2, False), (19, True)])
def test_of_two_stages_that_take_as_long_none_is_the_bottleneck(second: float, raised: bool) -> None:
    events = [
        span("tracer/prefill", 0, 50), launch(1, 1, 1), kernel(GEMM, 5, 20, 1),
        span("tracer/decode#1", 100, 50), launch(101, 1, 2), kernel(GEMM, 105, second, 2),
    ]  # fmt: skip
    assert (found(ID, *events) is not None) is raised


def test_one_stage_alone_is_no_bottleneck() -> None:
    assert found(ID, *stage("tracer/vision", 0, 5, [GEMM] * 2)) is None


def test_stages_that_gave_the_device_nothing_have_none() -> None:
    assert found(ID, span("tracer/vision", 0, 9), span("tracer/prefill", 10, 9), kernel("stray", 50, 5)) is None


@pytest.mark.parametrize(("vision_us", "raised"), [(90, True), (110, False)])
def test_on_a_cpu_the_requests_without_a_profiler_must_agree(vision_us: int, raised: bool) -> None:
    events = [
        span("tracer/vision", 0, 100), operator("aten::mm", 1, 50), span("tracer/prefill", 100, 100),
        operator("aten::mm", 101, 90),
    ]  # fmt: skip
    metadata = recorded(clean=[latencies(vision_us=vision_us, prefill_us=100)] * 3)
    assert (found(ID, *events, tracer=metadata) is not None) == raised
    finding = found(ID, *events)
    assert finding is not None
    assert finding.evidence["stage"] == "prefill"

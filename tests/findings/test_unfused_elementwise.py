from __future__ import annotations

import pytest
from support.findings import ADD, GEMM, found, stage

from tracer.findings.unfused_elementwise import FINDING

ID = FINDING.id


def test_unfused_kernels_are_counted_and_fused_ones_are_not() -> None:
    finding = found(ID, *stage("tracer/prefill", 0, 5, [GEMM, ADD] * 10))
    assert finding is not None
    assert "50% of its device time in 10 unfused" in finding.message
    assert found(ID, *stage("tracer/prefill", 0, 5, [GEMM, "triton_poi_fused_add_0"] * 10)) is None
    assert found(ID, *stage("tracer/prefill", 0, 5, [GEMM, GEMM, GEMM, GEMM, ADD] * 10)) is None


@pytest.mark.parametrize(("others", "raised"), [(40, False), (39, True)])
def test_a_fifth_of_the_device_time_is_the_threshold(others: int, raised: bool) -> None:
    assert (found(ID, *stage("tracer/prefill", 0, 5, [ADD] * 10 + [GEMM] * others)) is not None) == raised


@pytest.mark.parametrize(("count", "raised"), [(9, False), (10, True)])
def test_fewer_than_ten_are_not_many(count: int, raised: bool) -> None:
    assert (found(ID, *stage("tracer/prefill", 0, 5, [GEMM, ADD] * count)) is not None) == raised


def test_the_stage_with_most_of_them_is_named_first() -> None:
    vision, prefill = ([GEMM, ADD] * count for count in (10, 20))
    finding = found(ID, *stage("tracer/vision", 0, 5, vision), *stage("tracer/prefill", 500, 5, prefill, first=100))
    assert finding is not None
    assert finding.message.startswith("LLM prefill spends 50% of its device time in 20 unfused")
    assert finding.message.endswith("(vision too)")


def test_where_a_stage_has_nothing_else_one_kernel_a_run_remains() -> None:
    """Ten of 5 us each: nine of them can be fused into the tenth; beside one product, all of them into that."""
    alone, beside = (found(ID, *stage("tracer/prefill", 0, 5, names)) for names in ([ADD] * 10, [*[ADD] * 10, GEMM]))
    assert alone is not None
    assert beside is not None
    assert alone.gain is not None
    assert beside.gain is not None
    assert alone.gain.time_ns * 10 == beside.gain.time_ns * 9

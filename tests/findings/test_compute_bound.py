from __future__ import annotations

import msgspec
from support.findings import COST, GEMM, found, recorded, stage

from tracer.document.manifest import Cost
from tracer.findings.compute_bound import FINDING
from tracer.summarize import Choices

ID = FINDING.id


def test_operations_that_take_more_than_half_of_busy_are_found() -> None:
    prefill = stage("tracer/prefill", 0, 5, [GEMM] * 15)  # 150 us busy; 100 us at 1 TFLOP/s
    finding = found(ID, *prefill, choices=Choices(peak_tflops=1, peak_gbs=2), tracer=recorded(COST))
    assert finding is not None
    assert "67% of peak" in finding.message
    assert found(ID, *prefill, choices=Choices(peak_tflops=2, peak_gbs=2), tracer=recorded(COST)) is None


def test_few_operations_a_second_keep_two_digits() -> None:
    for peak, words in ((1, "0.67 TFLOP/s"), (0.02, "0.013 TFLOP/s")):
        cost = msgspec.structs.replace(COST, prefill=Cost(flops=round(peak * 1e8), weight_bytes=1000, kv_bytes=0))
        prefill = stage("tracer/prefill", 0, 5, [GEMM] * 15)
        finding = found(ID, *prefill, choices=Choices(peak_tflops=peak, peak_gbs=2), tracer=recorded(cost))
        assert finding is not None
        assert words in finding.message

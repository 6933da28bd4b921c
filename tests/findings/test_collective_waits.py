from __future__ import annotations

from support.findings import GEMM, found, stage

from tracer.findings.collective_waits import FINDING

ID = FINDING.id
NCCL = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)"


def test_a_stage_that_is_mostly_collectives_asks_for_the_other_ranks() -> None:
    finding = found(ID, *stage("tracer/decode#1", 0, 5, [GEMM, NCCL, NCCL]))
    assert finding is not None
    assert "67% of LLM decode's device time is collectives" in finding.message
    assert "tracer ranks" in finding.next_step


def test_a_stage_that_is_half_collectives_does_not() -> None:
    assert found(ID, *stage("tracer/decode#1", 0, 5, [GEMM, NCCL])) is None


def test_of_several_devices_in_one_trace_nothing_is_asked() -> None:
    events = stage("tracer/decode#1", 0, 5, [NCCL, NCCL])
    kernels = [event for event in events if event["cat"] == "kernel"]
    events += [{**event, "pid": 1, "args": {**event["args"], "device": 1}} for event in kernels]
    assert found(ID, *events) is None

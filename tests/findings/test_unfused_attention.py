from __future__ import annotations

import pytest
from support.chrome import launch, trace_of
from support.findings import GEMM, found, stage

from tracer.findings.unfused_attention import FINDING
from tracer.summarize import summarize

ID = FINDING.id
SOFTMAX = "void at::native::(anonymous namespace)::cunn_SoftMaxForward<8, c10::BFloat16, float>(c10::BFloat16*)"
GATING = "void vllm::moe::topkGatingSoftmax<8, 128, 4, 16>(float const*)"
LAYER = [GEMM, SOFTMAX, GEMM]


def test_a_stage_whose_layers_each_have_a_softmax_of_their_own_is_told_to_fuse_attention() -> None:
    finding = found(ID, *stage("tracer/vision", 0, 5, LAYER * 4))
    assert finding is not None
    assert finding.message.startswith("33% of vision's device time is 4 softmaxes by themselves, 40.00 µs")
    assert finding.gain is not None
    assert finding.gain.time_ns == 40_000


@pytest.mark.parametrize(
    "layers",
    [LAYER * 3, [GEMM, GATING, GEMM] * 4, [GEMM] * 16 + [SOFTMAX] * 4, [GEMM, "fmha_cutlassF_bf16_aligned", GEMM] * 4],
    ids=["few", "of an engine's experts", "a fifth", "fused"],
)
def test_what_is_no_attention_or_little_or_fused_is_not(layers: list[str]) -> None:
    assert found(ID, *stage("tracer/vision", 0, 5, layers)) is None


def test_of_a_stage_that_mostly_waits_nothing_is_gained_and_without_stages_it_is_of_all_work() -> None:
    waits = found(ID, *stage("tracer/vision", 0, 90, LAYER * 4))
    assert waits is not None
    assert waits.gain is None
    events = stage("", 0, 5, LAYER * 4)[1:]
    finding = found(ID, *events)
    assert finding is not None
    assert "33% of the device time is 4 softmaxes" in finding.message
    lost = summarize(trace_of(*events, launch(900, 1, 99)))
    assert f"finding {ID}" in [one.what for one in lost.abstained]

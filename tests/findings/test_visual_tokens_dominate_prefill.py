from __future__ import annotations

import pytest
from support.findings import COST, GEMM, found, recorded, stage

from tracer.document.manifest import Cost, Costs, Shape
from tracer.findings.visual_tokens_dominate_prefill import FINDING

ID = FINDING.id
PREFILL = stage("tracer/prefill", 0, 5, [GEMM] * 10)


def _costs(pair: int, product: int) -> Costs:
    def work(new: int, cached: int) -> Cost:
        return Cost(flops=new * product + pair * new * (cached + new), weight_bytes=1, kv_bytes=1)

    return Costs(vision=COST.vision, prefill=work(100, 0), decode=[work(1, 100 + k) for k in range(3)])


def test_visual_tokens_that_are_most_of_prefill() -> None:
    finding = found(ID, *PREFILL, tracer=recorded(_costs(1, 1000)))
    assert finding is not None
    assert finding.evidence["share"] == pytest.approx(1 - (40 * 1000 + 40**2) / (100 * 1000 + 100**2))
    assert finding.gain is not None
    assert finding.gain.time_ns == pytest.approx(100_000 * finding.evidence["share"] / 2, rel=0.01)
    few = Shape(batch_size=1, frames=5, visual_tokens=40, prompt_tokens=60, new_tokens=5)
    assert found(ID, *PREFILL, tracer=recorded(_costs(1, 1000), shape=few)) is None


@pytest.mark.parametrize(("visual", "raised"), [(47, False), (48, True)])
def test_half_of_the_operations_is_the_threshold(visual: int, raised: bool) -> None:
    """Without 47 of 100 tokens 50.7 % of the operations are left, without 48 of them 49.7 %."""
    shape = Shape(batch_size=1, frames=5, visual_tokens=visual, prompt_tokens=100 - visual, new_tokens=5)
    assert (found(ID, *PREFILL, tracer=recorded(_costs(1, 1000), shape=shape)) is not None) == raised

from __future__ import annotations

import pytest
from support.findings import GEMM, found, latencies, recorded, stage

from tracer.findings.profiler_distorts import FINDING

ID = FINDING.id


@pytest.mark.parametrize(("profiled_us", "raised"), [(105, False), (109, False), (111, True), (120, True)])
def test_a_profiler_in_the_way(profiled_us: int, raised: bool) -> None:
    metadata = recorded(clean=[latencies()], profiled=[latencies(prefill_us=profiled_us)])
    finding = found(ID, *stage("tracer/prefill", 0, 5, [GEMM] * 10), tracer=metadata)
    assert (finding is not None) == raised


def test_without_a_measurement_apart_nothing_is_known_of_the_profiler() -> None:
    assert found(ID, *stage("tracer/prefill", 0, 5, [GEMM] * 10)) is None

from __future__ import annotations

from support.chrome import operator, span
from support.findings import GEMM, found, stage

from tracer.findings.vision_reencoded import FINDING

ID = FINDING.id
ENCODER = span("tracer/encoder", 1, 30)


def test_the_encoder_inside_prefill() -> None:
    prefill = stage("tracer/prefill", 0, 5, [GEMM] * 10)
    finding = found(ID, *prefill, ENCODER)
    assert finding is not None
    assert finding.severity == "error"
    vision = stage("tracer/vision", 0, 5, [GEMM] * 10)
    assert found(ID, *vision, ENCODER) is None


def test_the_gain_is_the_work_launched_inside_and_no_other() -> None:
    finding = found(ID, *stage("tracer/prefill", 0, 5, [GEMM] * 10), ENCODER)
    assert finding is not None
    assert finding.gain is not None
    assert finding.gain.time_ns == finding.evidence["device_time_ns"] == 6 * 10_000  # launched at 5, 10, ... 30
    assert finding.gain.of_ns == 100_000


def test_of_a_cpu_run_it_is_the_operators_time() -> None:
    work = [operator("aten::mm", at, 5) for at in (2, 12, 40)]
    finding = found(ID, span("tracer/prefill", 0, 50), ENCODER, *work)
    assert finding is not None
    assert "ran 1 time inside prefill (10.00 µs of operator time)" in finding.message

from __future__ import annotations

import msgspec
from support.chrome import trace_of

from reports.asked import AS_IT_IS
from reports.parts.limits import part
from reports.render.text import render
from tracer.document.summary import Roofline, StageRoofline, VisualToken
from tracer.summarize import summarize


def _row(stage: str, limited_by: str | None, **changes: object) -> StageRoofline:
    fields: dict[str, object] = {
        "stage": stage, "runs": 1, "flops": 1, "bytes": 1, "weight_bytes": 1, "intensity": 1.0, "busy_ns": 6_330_000,
        "step_ns": 24_900_000, "step_source": "clean", "tflops": 1.0, "gbs": 1.0, "mfu": 0.0006, "mbu": 0.1135,
        "bound": "memory", "floor_ns": 2_830_000, "distance_ns": 22_070_000, "limited_by": limited_by,
    }  # fmt: skip
    return StageRoofline(**(fields | changes))  # type: ignore[arg-type]


def _render(roof: Roofline) -> str:
    block = part(msgspec.structs.replace(summarize(trace_of()), roofline=roof), AS_IT_IS)
    assert block is not None
    return render([block])


def test_the_limits_at_80_columns() -> None:
    roof = Roofline(
        device="NVIDIA H200", dtype="bfloat16", peak_tflops=989.5, peak_gbs=4800, peak_source="https://x",
        stages=[_row("prefill", "kernels"), _row("decode", "host")],
        visual_token=VisualToken(
            count=582, prefill_flops=1, prefill_share=0.903, prefill_ns=30_400, kv_bytes=524_288, decode_ns=109.2,
        ),
    )  # fmt: skip
    assert _render(roof) == (
        "what limits each stage\n"
        "a run of    floor     busy    takes   MFU    MBU  limited by\n"
        "prefill   2.83 ms  6.33 ms  24.9 ms  0.1%  11.3%  kernels, far from the roof\n"
        "decode    2.83 ms  6.33 ms  24.9 ms  0.1%  11.3%  host: launches come late\n"
        "floor: the model's own operations and bytes (weights, KV cache) at peak,\n"
        "990 TFLOP/s and 4,800 GB/s (vendor's data sheet). busy: kernels ran. takes:\n"
        "without a profiler. MFU, MBU: what peak arithmetic or bandwidth would need, as a\n"
        "share of that.\n"
        "582 visual tokens are 90% of prefill's work, 30.4 µs each; in each decode step\n"
        "109 ns each (inferred from the model's cost)\n"
    )


def test_half_a_peak_leaves_dashes() -> None:
    row = _row("decode", None, mfu=None, bound=None, floor_ns=None, distance_ns=None, step_source="trace")
    roof = Roofline(
        device="d", dtype="float32", peak_tflops=None, peak_gbs=4800, peak_source="--peak-gbs",
        stages=[row], visual_token=None,
    )  # fmt: skip
    report = _render(roof)
    assert "decode        –  6.33 ms  24.9 ms    –  11.3%  –\n" in report
    assert "at peak, – and 4,800 GB/s (--peak-gbs)." in " ".join(report.split())
    assert "takes: in the trace" in " ".join(report.split())

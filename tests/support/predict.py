"""Summaries to predict from, made of what runs of their stages take."""

from __future__ import annotations

from typing import Any

import msgspec

from support.chrome import kernel, trace_of
from tracer.document.summary import PassWork, Roofline, RunTime, StageRoofline, Summary, VisualToken
from tracer.predict.whatif import Changes, predict
from tracer.summarize import summarize

TOKEN = VisualToken(count=100, prefill_flops=1, prefill_share=0.8, prefill_ns=1.0, kv_bytes=1, decode_ns=2.0)
# Reading takes 0.8 microseconds, however many positions; the arithmetic of each 0.01.
PASS = PassWork(weight_bytes=800, kv_bytes=1, token_kv_bytes=0, token_flops=10_000, pair_flops=0)
NOW = {"vision": 5_000, "prefill": 9_000, "decode": 10_000}


def _row(stage: str, bound: str) -> StageRoofline:
    return StageRoofline(
        stage=stage, runs=1, flops=1, bytes=1, weight_bytes=1, intensity=1.0, busy_ns=1, step_ns=1, step_source="clean",
        tflops=1, gbs=1, mfu=None, mbu=None, bound=bound, floor_ns=1, distance_ns=1, limited_by=None,
    )  # fmt: skip


def budget(stage: str, runs: int, busy_ns: float, step_ns: float) -> RunTime:
    return RunTime(stage=stage, runs=runs, busy_ns=busy_ns, step_ns=step_ns, clean=True)


def summary_of(*measured: RunTime, token: VisualToken | None = TOKEN, work: PassWork | None = PASS) -> Summary:
    """Vision waits, prefill is busy, decode is busy and bound by memory."""
    roof = Roofline(
        device="d", dtype="bfloat16", peak_tflops=1, peak_gbs=1, peak_source="s",
        stages=[_row("prefill", "compute"), _row("decode", "memory")], visual_token=token, step=work,
    )  # fmt: skip
    stages = measured or (
        budget("vision", 1, 1_000, 5_000), budget("prefill", 1, 8_000, 9_000), budget("decode", 10, 900, 1_000),
    )  # fmt: skip
    return msgspec.structs.replace(summarize(trace_of(kernel("k", 0, 1))), budget=list(stages), roofline=roof)


def then(summary: Summary | None = None, stages: dict[str, float] | None = None, **changes: object) -> dict[str, int]:
    """What each stage takes under these changes."""
    found = predict(summary or summary_of(), Changes(stages=stages or {}, **changes))  # type: ignore[arg-type]
    assert found.then_ns == sum(stage.then_ns for stage in found.stages)
    assert len(found.assumptions) == len(changes) + len(stages or {})
    return {stage.stage: stage.then_ns for stage in found.stages}


def draft_of(step_ns: float, *others: RunTime) -> Summary:
    """A recording of a draft by itself, whose steps take so long."""
    return summary_of(*others, budget("decode", 10, step_ns, step_ns))


def recorded_run(summary: Summary | None = None, **run: Any) -> Summary:
    """As from a recording of ours."""
    known = {"decode": "eager", "batch_frames": False, "frames": 5} | run
    return msgspec.structs.replace(summary or summary_of(), run=known)

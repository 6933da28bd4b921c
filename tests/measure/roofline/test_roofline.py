from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from model.eventgpt.cost import request_cost
from model.eventgpt.sizes import SIZES
from model.staged import RequestShape, StageCost
from tracer.document.manifest import Cost, Costs, Manifest, Shape, Verification
from tracer.document.summary import (
    Counts,
    Idle,
    Kernel,
    Latency,
    PassWork,
    Roofline,
    RunTime,
    Stage,
    StageRoofline,
    Token,
)
from tracer.measure.roofline.analytic import draw
from tracer.measure.roofline.passes import pass_work
from tracer.peaks.measured import remember
from tracer.peaks.peak import Peak

SHAPE = RequestShape(batch_size=1, frames=5, visual_tokens=582, prompt_tokens=64)


def _cost(cost: StageCost) -> Cost:
    return Cost(flops=cost.flops, weight_bytes=cost.weight_bytes, kv_bytes=cost.kv_bytes)


def _costs(shape: RequestShape, steps: int = 4) -> Costs:
    cost = request_cost(SIZES["tiny"], shape, new_tokens=steps + 1, itemsize_bytes=2, batch_frames=False)
    return Costs(vision=_cost(cost.vision), prefill=_cost(cost.prefill), decode=[_cost(step) for step in cost.decode])


def _manifest(cost: Costs | None, *, coupled: bool = False, shape: RequestShape = SHAPE) -> Manifest:
    return Manifest(
        schema="tracer.manifest/1", version="1", model={}, software={}, device={"name": "nobody's"}, dtype="bfloat16",
        seed=0, shape=Shape(batch_size=1, frames=5, visual_tokens=shape.visual_tokens, prompt_tokens=64, new_tokens=5),
        coupled=coupled, synchronised=False, clock="host", options={}, verification=Verification(status="passed"),
        clean=[], profiled=[], cost=cost,
    )  # fmt: skip


def _stage(stage: str, calls: int, busy_ns: int, **idle: int) -> Stage:
    causes = Idle(**idle)
    return Stage(
        stage=stage, calls=calls, ops=1, device_time_ns=busy_ns, busy_ns=busy_ns, idle_ns=causes.total_ns, idle=causes,
        span_ns=0, cpu_ns=0, categories={}, kernels=[],
    )  # fmt: skip


def _token(index: int) -> Token:
    return Token(
        request=0, index=index, ops=1, device_time_ns=1, busy_ns=1, idle_ns=0, idle=Idle(), cpu_ns=1, counts=Counts()
    )


def _draw(
    manifest: Manifest, stages: list[Stage], tokens: list[Token], latency: Latency | None, **peaks: float
) -> Roofline | None:
    times = {
        one.stage: RunTime(
            stage=one.stage, runs=1, recorded=one.calls, busy_ns=one.busy_ns / one.calls, clean=latency is not None,
            step_ns=(one.busy_ns + one.idle_ns) / one.calls if latency is None else latency.tpot_ns or 0,
        )
        for one in stages
    }  # fmt: skip
    return draw(manifest, stages, tokens, times, device=str(manifest.device["name"]), **peaks)


def _row(stage: Stage, manifest: Manifest, tokens: list[Token] | None = None, **more: object) -> StageRoofline:
    roof = _draw(manifest, [stage], tokens or [], more.pop("latency", None), tflops=1, gbs=2)  # type: ignore[arg-type]
    assert roof is not None
    return roof.stages[0]


PREFILL = Costs(
    vision=Cost(flops=1, weight_bytes=1, kv_bytes=0),
    prefill=Cost(flops=6_000_000, weight_bytes=300, kv_bytes=100),
    decode=[Cost(flops=1000, weight_bytes=5_000, kv_bytes=1_000 + 10 * k) for k in range(3)],
)


@pytest.mark.parametrize(
    ("kernel", "dtype", "tflops"),
    [("sm90_xmma_gemm_f32f32_tf32f32_f32_nn_n", "tf32", 494.7), ("sm80_xmma_gemm_f32f32_f32f32_f32", "float32", 66.9)],
)
def test_float32_that_its_kernels_rounded_has_the_peak_of_what_they_did(kernel: str, dtype: str, tflops: float) -> None:
    manifest = msgspec.structs.replace(_manifest(PREFILL), dtype="float32", device={"name": "NVIDIA H100 80GB HBM3"})
    stage = msgspec.structs.replace(_stage("prefill", 1, 100), kernels=[Kernel(name=kernel, count=1, time_ns=100)])
    roof = _draw(manifest, [stage], [], None)
    assert roof is not None
    assert (roof.dtype, roof.peak_tflops) == (dtype, tflops)


def test_a_measurement_of_a_cpu_counts_for_as_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remember("Some Processor", "bfloat16", Peak(tflops=3, gbs=4, source="measured"), threads=8)
    for threads, expected in ((8, 3), (1, None), ("8", None)):
        manifest = msgspec.structs.replace(_manifest(PREFILL), device={"name": "Some Processor", "threads": threads})
        roof = _draw(manifest, [_stage("prefill", 1, 100)], [], None)
        assert roof is not None
        assert roof.peak_tflops == expected


def test_a_floor_leaves_out_what_a_causal_mask_hides_and_mfu_does_not() -> None:
    causal = msgspec.structs.replace(PREFILL, prefill=msgspec.structs.replace(PREFILL.prefill, least_flops=4_000_000))
    row = _row(_stage("prefill", 2, 20_000, host_ns=4_000), _manifest(causal))
    assert (row.flops, row.bound, row.floor_ns) == (6_000_000, "compute", 4_000)
    assert row.mfu == pytest.approx(0.5)


def test_a_stage_under_its_roof() -> None:
    row = _row(_stage("prefill", 2, 20_000, host_ns=4_000), _manifest(PREFILL))
    assert (row.flops, row.bytes, row.intensity) == (6_000_000, 400, 15_000)
    assert (row.busy_ns, row.step_ns, row.step_source) == (10_000, 12_000, "trace")
    assert row.tflops == pytest.approx(0.6)
    assert row.gbs == pytest.approx(0.04)
    assert (row.bound, row.floor_ns, row.distance_ns) == ("compute", 6_000, 6_000)
    assert row.mfu == pytest.approx(0.5)
    assert row.mbu == pytest.approx(200 / 12_000)
    assert row.limited_by == "compute"


def test_decode_takes_each_steps_own_work_and_its_floor_is_bytes_over_bandwidth() -> None:
    row = _row(_stage("decode", 2, 8_000), _manifest(PREFILL), [_token(2), _token(3)])
    assert row.bytes == 6_015
    assert (row.bound, row.floor_ns) == ("memory", 3_008)
    assert row.limited_by == "memory"


@pytest.mark.parametrize(
    ("busy_ns", "idle", "limit"),
    [
        (4_000, {"host_ns": 900, "launch_ns": 3_200}, "launch"),
        (4_000, {"host_ns": 5_000}, "host"),
        (4_000, {"sync_ns": 3_000, "host_ns": 2_000}, "sync"),
        (4_000, {"host_ns": 3_000}, "memory"),
        (6_100, {"host_ns": 3_000}, "kernels"),
    ],
)
def test_what_limits_a_stage(busy_ns: int, idle: dict[str, int], limit: str) -> None:
    assert _row(_stage("decode", 1, busy_ns, **idle), _manifest(PREFILL), [_token(1)]).limited_by == limit


def test_utilisation_is_of_the_time_without_a_profiler_where_there_is_one() -> None:
    latency = Latency(
        source="clean", clock="host", requests=1, ttft_ns=1, tpot_ns=30_050, itl_ns=None, request_ns=1,
        tokens_per_s=None, stages_ns={"decode": 99}, distortion={},
    )  # fmt: skip
    row = _row(_stage("decode", 1, 6_010, host_ns=9), _manifest(PREFILL), [_token(2)], latency=latency)
    assert (row.step_ns, row.step_source, row.limited_by) == (30_050, "clean", "host")
    assert row.mbu == pytest.approx(0.1)


def test_coupled_prefill_encodes_too() -> None:
    assert _row(_stage("prefill", 1, 10), _manifest(PREFILL, coupled=True)).flops == 6_000_001


def test_without_a_peak_only_what_was_achieved_is_said() -> None:
    roof = _draw(_manifest(PREFILL), [_stage("prefill", 1, 10_000)], [], None)
    assert roof is not None
    row = roof.stages[0]
    assert (row.mfu, row.mbu, row.bound, row.floor_ns, row.distance_ns, row.limited_by) == (None,) * 6
    assert row.tflops == pytest.approx(0.6)
    assert roof.peak_source == ""


def test_a_recording_without_costs_and_steps_beyond_them_say_nothing() -> None:
    assert _draw(_manifest(None), [], [], None) is None
    roof = _draw(_manifest(PREFILL), [_stage("decode", 1, 10), _stage("load", 1, 0)], [_token(9)], None)
    assert roof is not None
    assert roof.stages == []


def test_a_visual_token_costs_what_a_request_without_any_would_save() -> None:
    with_them, without = _costs(SHAPE), _costs(replace(SHAPE, visual_tokens=0))
    roof = _draw(_manifest(with_them), [_stage("prefill", 1, 10**6)], [], None, tflops=1, gbs=2)
    assert roof is not None
    token = roof.visual_token
    assert token is not None
    saved = with_them.prefill.flops - without.prefill.flops
    assert token.prefill_flops == round(saved / 582)
    assert token.prefill_share == pytest.approx(saved / with_them.prefill.flops)
    assert token.prefill_ns == pytest.approx(10**6 * token.prefill_share / 582)
    assert token.kv_bytes * 582 == with_them.decode[0].kv_bytes - without.decode[0].kv_bytes
    assert token.decode_ns == token.kv_bytes / 2


def test_a_window_of_attention_is_not_mistaken_for_a_line() -> None:
    costs = _costs(SHAPE)
    bent = [*costs.decode[:2], msgspec.structs.replace(costs.decode[2], flops=costs.decode[1].flops)]
    roof = _draw(_manifest(msgspec.structs.replace(costs, decode=bent)), [], [], None)
    assert roof is not None
    assert roof.visual_token is None


@pytest.mark.parametrize(("busy_ns", "latency_ns"), [(2_000, 9_000), (9_000, 2_000)])
def test_a_floor_above_what_was_measured_is_an_error_that_is_said(busy_ns: int, latency_ns: int) -> None:
    """6 million operations at 1 TFLOP/s take 6 us."""
    stage = _stage("prefill", 1, busy_ns, host_ns=latency_ns - busy_ns if latency_ns > busy_ns else 0)
    times = {"prefill": RunTime(stage="prefill", runs=1, recorded=1, busy_ns=busy_ns, step_ns=latency_ns, clean=True)}
    roof = draw(_manifest(PREFILL), [stage], [], times, device="", tflops=1, gbs=2)
    assert roof is not None
    (row,) = roof.stages
    assert (row.mfu, row.mbu, row.floor_ns, row.distance_ns, row.bound) == (None,) * 5
    assert row.limited_by in (None, "host")
    assert row.error.startswith("LLM prefill: its work takes 6.00 µs at peak, and 2.00 µs were measured")
    assert row.tflops == pytest.approx(6 / busy_ns * 1000)


def test_a_floor_below_what_was_measured_is_no_error() -> None:
    assert _row(_stage("prefill", 1, 6_001), _manifest(PREFILL)).error == ""


@pytest.mark.parametrize(
    ("precision", "dtype"), [(None, "float32"), ("highest", "float32"), ("high", "tf32"), ("medium", "tf32")]
)
def test_float32_that_a_recording_allowed_to_be_rounded_has_the_rounded_peak(precision: str | None, dtype: str) -> None:
    device = {"name": "NVIDIA H100 80GB HBM3"} | ({"float32_matmul_precision": precision} if precision else {})
    manifest = msgspec.structs.replace(_manifest(PREFILL), dtype="float32", device=device)
    roof = _draw(manifest, [_stage("prefill", 1, 10_000)], [], None)
    assert roof is not None
    assert (roof.dtype, roof.peak_tflops) == (dtype, 494.7 if dtype == "tf32" else 66.9)


def test_a_pass_over_several_positions_is_told_by_steps_that_grow_alike_and_by_no_others() -> None:
    """A step behind c positions: 100 for its products, 10 for attention to each, and 4 bytes of cache."""

    def told(lengths: list[int]) -> PassWork | None:
        steps = [Cost(flops=100 + 10 * seen, weight_bytes=50, kv_bytes=4 * seen) for seen in lengths]
        return pass_work(msgspec.structs.replace(PREFILL, decode=steps))

    work = told([7, 8, 9, 10])
    assert work == PassWork(weight_bytes=50, kv_bytes=34, token_kv_bytes=4, token_flops=185, pair_flops=10)
    assert work.flops_of(3) == 185 + 195 + 205
    assert work.bytes_of(3) == 50 + 34 + 2 * 2 * 4
    assert told([7, 8, 9, 9]) is told([9, 9, 10]) is None  # a window is full; or was not at first
    assert told([7, 8]) is None

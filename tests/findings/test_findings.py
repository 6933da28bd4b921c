"""Each rule with a trace that raises it, and a near twin that does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.chrome import Event, call, kernel, launch, operator, span, trace_of

from tracer.document.manifest import Cost, Costs, Latencies, Manifest, Shape, Verification, encode
from tracer.document.summary import Finding
from tracer.document.summary import decode as decode_summary
from tracer.document.summary import encode as encode_summary
from tracer.findings.advice import ADVICE
from tracer.findings.find import RULES
from tracer.summarize import Choices, summarize

GEMM = "ampere_sgemm_64x64_nn"
ADD = "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float> >(int)"
TO_DEVICE, TO_HOST = "Memcpy HtoD (Pinned -> Device)", "Memcpy DtoH (Device -> Pinned)"


def _find(id: str, *events: Event, choices: Choices | None = None, **metadata: Any) -> Finding | None:
    summary = summarize(trace_of(*events, **metadata), choices)
    assert decode_summary(encode_summary(summary)) == summary  # a NumPy number among the evidence would not survive
    found = summary.findings
    return next((finding for finding in found if finding.id == id), None)


def _manifest(cost: Costs | None = None, clean: list[Latencies] | None = None, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "schema": "tracer.manifest/1", "version": "1", "model": {}, "software": {},
        "device": {"name": "nobody's", "type": "cuda"}, "dtype": "bfloat16", "seed": 0,
        "shape": Shape(batch_size=1, frames=5, visual_tokens=60, prompt_tokens=40, new_tokens=5),
        "coupled": False, "synchronised": False, "clock": "cuda_event", "options": {},
        "verification": Verification(status="passed"), "clean": clean or [], "profiled": [], "cost": cost,
    }  # fmt: skip
    document: dict[str, Any] = json.loads(encode(Manifest(**(fields | changes))))
    return document


def _clean(vision_us: int = 100, prefill_us: int = 100, step_us: int = 100) -> Latencies:
    return Latencies(
        load_ns=1, preprocess_ns=1, vision_ns=1000 * vision_us, prefill_ns=1000 * prefill_us,
        decode_ns=[1000 * step_us] * 4,
    )  # fmt: skip


def _stage(name: str, at: float, gap: float, kernels: list[str], each: float = 10, first: int = 1) -> list[Event]:
    """A stage whose kernels are launched `gap` after one another and run `each` long, at once."""
    step = max(gap, each)
    events = [span(name, at, step * len(kernels) + 1)]
    for number, kernel_name in enumerate(kernels):
        start = at + number * gap
        events += [launch(start, 1, first + number), kernel(kernel_name, at + number * step + 2, each, first + number)]
    return events


def _nothing(k: int) -> float:
    return 0


def _no_events(k: int, at: float) -> list[Event]:
    return []


def _steps(
    extra: Callable[[int], float] = _nothing, more: Callable[[int, float], list[Event]] = _no_events
) -> list[Event]:
    """Twelve decode steps of 100 us, back to back: one gemm of 90 us each, launched early."""
    events: list[Event] = [span("tracer/request#0", 0, 10_000)]
    at = 100.0
    for k in range(1, 13):
        longer = extra(k)
        events += [span(f"tracer/decode#{k}", at, 100 + longer), launch(at + 1, 1, k)]
        events += [kernel(GEMM, at + 5, 90 + longer, k), *more(k, at)]
        at += 100 + longer
    return events


# launch-bound


def test_launches_that_come_late_are_found_and_early_ones_are_not() -> None:
    finding = _find("launch-bound", *_stage("tracer/vision", 0, 40, [GEMM] * 10))
    assert finding is not None
    assert "vision waits for launches" in finding.message
    assert finding.gain is not None
    assert finding.gain.time_ns == pytest.approx(9 * 30_000, rel=0.01)
    assert _find("launch-bound", *_stage("tracer/vision", 0, 5, [GEMM] * 10)) is None


@pytest.mark.parametrize("stage", ["load", "preprocess"])
def test_the_device_waits_for_work_that_is_the_hosts_own(stage: str) -> None:
    alone = _stage(f"tracer/{stage}", 0, 40, [GEMM] * 10)
    assert _find("launch-bound", *alone) is None
    finding = _find("launch-bound", *alone, *_stage("tracer/vision", 500, 40, [GEMM] * 10, first=100))
    assert finding is not None
    assert list(finding.evidence["stages"]) == ["vision"]


def test_idle_time_that_only_the_profiler_makes_is_not_launch_bound() -> None:
    late = _stage("tracer/vision", 0, 40, [GEMM] * 10)  # 100 us busy of 370
    assert _find("launch-bound", *late, tracer=_manifest(clean=[_clean(vision_us=150)])) is None
    assert _find("launch-bound", *late, tracer=_manifest(clean=[_clean(vision_us=250)])) is not None


# sync-per-token


def _waiting(after: float) -> list[Event]:
    """Steps that wait for their kernel and launch the next so much later."""
    events: list[Event] = [span("tracer/request#0", 0, 10_000)]
    at = 0.0
    for k in range(1, 9):
        events += [span(f"tracer/decode#{k}", at, 100 + after), launch(at + 1, 1, k), kernel(GEMM, at + 3, 90, k)]
        events.append(call("cudaStreamSynchronize", at + 4, 90))
        at += 100 + after
    return events


def test_a_wait_in_each_step_is_named_with_the_gap_behind_it() -> None:
    finding = _find("sync-per-token", *_waiting(20))
    assert finding is not None
    assert "cudaStreamSynchronize, 1.0 times a step" in finding.message
    assert finding.evidence["gaps_ns"] == 7 * 30_000
    assert _find("sync-per-token", *_steps()) is None


def test_a_wait_that_costs_nothing_is_not_worth_a_word() -> None:
    def wait_for_the_step_before(k: int, at: float) -> list[Event]:
        return [call("cudaStreamSynchronize", at + 2, 1)]  # the kernel of this step runs on

    assert _find("sync-per-token", *_steps(more=wait_for_the_step_before)) is None


# roofline rules

COST = Costs(
    vision=Cost(flops=1, weight_bytes=1, kv_bytes=0),
    prefill=Cost(flops=100_000_000, weight_bytes=1000, kv_bytes=0),
    decode=[Cost(flops=1000 + k, weight_bytes=100_000, kv_bytes=20_000 + k) for k in range(12)],
)


def test_memory_bound() -> None:
    # 120 kB at 2 GB/s are 60 us of a step that is busy for 90.
    choices = Choices(peak_tflops=1, peak_gbs=2)
    finding = _find("memory-bound", *_steps(), choices=choices, tracer=_manifest(COST))
    assert finding is not None
    assert "LLM decode is bound by memory bandwidth" in finding.message
    assert finding.gain is not None
    assert finding.gain.time_ns == pytest.approx(4 * 90_000 * 100 / 120 / 2, rel=0.01)
    faster = Choices(peak_tflops=1, peak_gbs=4)
    assert _find("memory-bound", *_steps(), choices=faster, tracer=_manifest(COST)) is None
    assert _find("memory-bound", *_steps(), tracer=_manifest(COST)) is None


def test_compute_bound() -> None:
    prefill = _stage("tracer/prefill", 0, 5, [GEMM] * 15)  # 150 us busy; 100 us at 1 TFLOP/s
    finding = _find("compute-bound", *prefill, choices=Choices(peak_tflops=1, peak_gbs=2), tracer=_manifest(COST))
    assert finding is not None
    assert "67% of peak" in finding.message
    assert _find("compute-bound", *prefill, choices=Choices(peak_tflops=2, peak_gbs=2), tracer=_manifest(COST)) is None


def test_visual_tokens_that_are_most_of_prefill() -> None:
    def costs(pair: int, product: int) -> Costs:
        def work(new: int, cached: int) -> Cost:
            return Cost(flops=new * product + pair * new * (cached + new), weight_bytes=1, kv_bytes=1)

        return Costs(vision=COST.vision, prefill=work(100, 0), decode=[work(1, 100 + k) for k in range(3)])

    prefill = _stage("tracer/prefill", 0, 5, [GEMM] * 10)
    finding = _find("visual-tokens-dominate-prefill", *prefill, tracer=_manifest(costs(1, 1000)))
    assert finding is not None
    assert finding.evidence["share"] == pytest.approx(1 - (40 * 1000 + 40**2) / (100 * 1000 + 100**2))
    assert finding.gain is not None
    assert finding.gain.time_ns == pytest.approx(100_000 * finding.evidence["share"] / 2, rel=0.01)
    few = Shape(batch_size=1, frames=5, visual_tokens=40, prompt_tokens=60, new_tokens=5)
    assert _find("visual-tokens-dominate-prefill", *prefill, tracer=_manifest(costs(1, 1000), shape=few)) is None


# work that could be saved


def test_unfused_kernels_are_counted_and_fused_ones_are_not() -> None:
    finding = _find("unfused-elementwise", *_stage("tracer/prefill", 0, 5, [GEMM, ADD] * 10))
    assert finding is not None
    assert "50% of its device time in 10 unfused" in finding.message
    assert _find("unfused-elementwise", *_stage("tracer/prefill", 0, 5, [GEMM, "triton_poi_fused_add_0"] * 10)) is None
    assert _find("unfused-elementwise", *_stage("tracer/prefill", 0, 5, [GEMM, GEMM, GEMM, GEMM, ADD] * 10)) is None


def _frames(count: int, gap: float) -> list[Event]:
    events = _stage("tracer/vision", 0, gap, [GEMM] * 20)
    length = 20 * max(gap, 10) / count
    return [*events, *[span("tracer/encoder", number * length, length) for number in range(count)]]


def test_frames_one_by_one_are_found_unless_the_device_is_busy_with_them() -> None:
    finding = _find("frames-encoded-one-by-one", *_frames(5, gap=40))
    assert finding is not None
    assert "5 frames one by one" in finding.message
    assert finding.gain is not None
    assert finding.gain.time_ns == pytest.approx(19 * 40_000 + 10_000 - 200_000, rel=0.01)
    assert _find("frames-encoded-one-by-one", *_frames(1, gap=40)) is None
    assert _find("frames-encoded-one-by-one", *_frames(5, gap=5)) is None


# decode steps


def test_growth_with_the_cache() -> None:
    finding = _find("kv-growth", *_steps(extra=lambda k: k))
    assert finding is not None
    assert "grow by 1.00 µs per cached token" in finding.message
    assert _find("kv-growth", *_steps(extra=lambda k: k / 10)) is None
    assert _find("kv-growth", *_steps(extra=lambda k: 10 * (k % 2))) is None


def test_a_slow_first_step() -> None:
    assert _find("slow-first-token", *_steps(extra=lambda k: 200 * (k == 1))) is not None
    assert _find("slow-first-token", *_steps(extra=lambda k: 200 * (k == 2))) is None


def test_a_slow_first_request() -> None:
    slow, usual = _clean(prefill_us=300), _clean()
    finding = _find("slow-first-token", *_steps(), tracer=_manifest(clean=[slow, usual, usual, usual]))
    assert finding is not None
    assert (finding.evidence["first_ns"], finding.evidence["others_ns"]) == (400_000, 200_000)
    assert _find("slow-first-token", *_steps(), tracer=_manifest(clean=[usual, slow, usual, usual])) is None


def test_steps_that_stand_out() -> None:
    finding = _find("token-outliers", *_steps(extra=lambda k: 60 * (k == 7)))
    assert finding is not None
    assert finding.evidence == {"steps": [[0, 7]], "causes": {"device": 1}}
    assert finding.gain is not None
    assert finding.gain.time_ns == 60_000
    assert _find("token-outliers", *_steps(extra=lambda k: 5 * (k == 7))) is None


def _copies(name: str, every: int) -> list[Event]:
    def copy(k: int, at: float) -> list[Event]:
        if k % every:
            return []
        number = 1000 + k
        copied = kernel(name, at + 96, 1, number, cat="gpu_memcpy", args={"bytes": 64})
        return [call("cudaMemcpyAsync", at + 3, 1, number), copied]

    return _steps(more=copy)


def test_copies_to_the_device_in_each_step() -> None:
    finding = _find("host-to-device-copies-in-decode", *_copies(TO_DEVICE, every=1))
    assert finding is not None
    assert "copies 64 bytes" in finding.message
    assert _find("host-to-device-copies-in-decode", *_copies(TO_HOST, every=1)) is None
    assert _find("host-to-device-copies-in-decode", *_copies(TO_DEVICE, every=4)) is None


def _requests(slower_us: float) -> list[Event]:
    events: list[Event] = []
    for r in range(9):
        start = 1000 * r
        events.append(span(f"tracer/request#{r}", start, 900))
        for k in range(1, 4):
            at, number = start + 200 * k, 10 * r + k
            events += [span(f"tracer/decode#{k}", at, 150), launch(at + 1, 1, number)]
            events.append(kernel(GEMM, at + 3, 100 + slower_us * r, number))
    return events


def test_drift_over_requests() -> None:
    finding = _find("clock-or-thermal-drift", *_requests(1))
    assert finding is not None
    assert finding.evidence["change"] == pytest.approx(0.08, rel=0.05)
    assert _find("clock-or-thermal-drift", *_requests(0.1)) is None


# the others


def test_the_encoder_inside_prefill() -> None:
    encoder = span("tracer/encoder", 1, 30)
    prefill = _stage("tracer/prefill", 0, 5, [GEMM] * 10)
    finding = _find("vision-reencoded", *prefill, encoder)
    assert finding is not None
    assert finding.severity == "error"
    vision = _stage("tracer/vision", 0, 5, [GEMM] * 10)
    assert _find("vision-reencoded", *vision, encoder) is None


def test_time_outside_all_stages() -> None:
    stage = _stage("tracer/prefill", 0, 5, [GEMM] * 10)
    assert _find("low-coverage", *stage, kernel("stray", 500, 9)) is not None
    assert _find("low-coverage", *stage, kernel("stray", 500, 4)) is None


def test_a_profiler_in_the_way() -> None:
    for profiled_us, raised in ((120, True), (105, False)):
        manifest = _manifest(clean=[_clean()], profiled=[_clean(prefill_us=profiled_us)])
        stage = _stage("tracer/prefill", 0, 5, [GEMM] * 10)
        assert (_find("profiler-distorts", *stage, tracer=manifest) is not None) == raised


def test_the_first_finding_names_the_biggest_stage() -> None:
    events = _stage("tracer/vision", 0, 5, [GEMM] * 2) + _stage("tracer/prefill", 100, 5, [GEMM] * 8, first=50)
    found = summarize(trace_of(*events)).findings
    assert found[0].id == "bottleneck-stage"
    assert "LLM prefill takes 80.0 %" in found[0].message


def test_operators_of_a_cpu_raise_nothing_about_devices() -> None:
    events = [span("tracer/decode#1", 0, 100), *[operator("aten::mm", 30 * i, 5) for i in range(3)]]
    assert summarize(trace_of(*events)).findings == []


def test_every_rule_has_its_advice_and_every_advice_its_rule() -> None:
    assert len(ADVICE) == len(RULES)
    assert all(advice.rule and advice.reason and advice.next_step for advice in ADVICE.values())

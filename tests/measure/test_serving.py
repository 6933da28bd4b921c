from __future__ import annotations

from pathlib import Path

import pytest
from support.chrome import Event, kernel, launch, span, trace_of

from tracer.document.summary import BatchGroup, Held, Phase, Serving, Spread
from tracer.summarize import summarize, summarize_file

CASES = Path(__file__).parents[1] / "data/cases"


def _serving(*events: Event) -> Serving:
    found = summarize(trace_of(*events)).serving
    assert found is not None
    return found


def _step(name: str, number: int, *kernels: tuple[str, float]) -> list[Event]:
    at = 1000.0 * number
    events = [span(name, at, 900)]
    for place, (kernel_name, length) in enumerate(kernels):
        correlation = 10 * number + place + 1
        events += [
            launch(at + place, 0.5, correlation),
            kernel(kernel_name, at + 100 + 200 * place, length, correlation),
        ]
    return events


FLASH = "void flash_fwd_splitkv_kernel<128>(int)"
WRITE = "void vllm::reshape_and_cache_flash_kernel<int>(int)"


def test_each_step_keeps_what_its_label_says_beside_what_it_took() -> None:
    (step,) = _serving(*_step("execute_context_2(60)_generation_3(4)", 0, ("gemm", 40), (FLASH, 20), (WRITE, 5))).steps
    assert (step.stage, step.mode, step.requests, step.tokens, step.start_ns) == ("mixed", "", 5, 64, 0)
    assert step.context == BatchGroup(requests=2, tokens=60)
    assert step.generation == BatchGroup(requests=3, tokens=4)
    assert (step.device_time_ns, step.attention_ns) == (65_000, 20_000)  # writing the cache is no attention


def test_what_the_steps_of_a_stage_held_is_the_median_with_its_bounds() -> None:
    names = [f"step[DECODE bs={count} g_sk={100 * count}]" for count in (4, 1, 8)]
    found = _serving(*[one for number, name in enumerate(names) for one in _step(name, number, ("gemm", 26))])
    assert found.held == [
        Held(
            stage="decode", steps=3,
            prompts=Spread(low=0, median=0, high=0), prompt_tokens=Spread(low=0, median=0, high=0),
            sequences=Spread(low=1, median=4, high=8), new_tokens=Spread(low=1, median=4, high=8),
            kv_tokens=Spread(low=100, median=400, high=800), tokens=Spread(low=1, median=4, high=8),
            ns_per_token=6_000,
        )
    ]  # fmt: skip


def test_a_step_of_which_no_work_is_known_counts_for_no_token() -> None:
    """As one that was captured and not run."""
    begins, ends = (
        {**launch(at, 1, 90 + at), "name": f"cudaStream{what}Capture"} for at, what in ((1, "Begin"), (9, "End"))
    )
    captured = [begins, launch(5, 1, 95), ends]
    events = [span("step[DECODE bs=4]", 0, 20), *captured, *_step("step[DECODE bs=4]", 1, ("gemm", 40))]
    (held,) = _serving(*events).held
    assert (held.steps, held.ns_per_token) == (2, 10_000)


def test_what_a_label_does_not_say_is_unknown() -> None:
    (held,) = _serving(*_step("step[MIXED bs=5]", 0, ("gemm", 26))).held
    assert (held.prompts, held.sequences, held.kv_tokens, held.tokens, held.ns_per_token) == (None,) * 5


def test_stages_that_are_no_engines_say_nothing_of_batches() -> None:
    assert summarize(trace_of(*_step("tracer/decode#1", 0, ("gemm", 26)))).serving is None


def test_the_phases_that_an_engine_has_ranges_for_are_listed() -> None:
    events = [
        *_step("execute_context_0(0)_generation_1(1)", 0, ("gemm", 26)),
        span("gpu_model_runner: forward", 0, 50), span("schedule: allocate_slots", 60, 5),
    ]  # fmt: skip
    assert _serving(*events).phases == [
        Phase(name="gpu_model_runner: forward", count=1, cpu_ns=50_000, ops=1, device_time_ns=26_000)
    ]


def test_what_an_engines_scheduler_does_between_steps_is_a_phase_too() -> None:
    """SGLang's runs around each step."""
    loop = [span("scheduler.run_batch", 0, 1000), span("scheduler.process_batch_result", 1000, 40)]
    phases = _serving(*_step("step[DECODE bs=1]", 0, ("gemm", 40)), *loop, span("nccl:all_gather", 1100, 5)).phases
    assert {(one.name, one.count, one.cpu_ns, one.device_time_ns) for one in phases} == {
        ("scheduler.run_batch", 1, 1_000_000, 40_000),
        ("scheduler.process_batch_result", 1, 40_000, 0),
    }


def test_verifying_is_decode_work_and_every_op_belongs_to_a_stage() -> None:
    summary = summarize_file(CASES / "sglang_speculative.json")
    assert [(stage.stage, stage.role, stage.calls, stage.device_time_ns) for stage in summary.stages] == [
        ("prefill", None, 1, 450_000),
        ("decode", "target", 8, 8 * 360_000),
        ("draft", "draft", 8, 8 * 50_000),
    ]
    assert [token.device_time_ns for token in summary.tokens] == [360_000] * 8
    assert summary.device.unattributed.ops == 0
    assert summary.trace.steps == "passes"
    assert "low-coverage" not in [finding.id for finding in summary.findings]
    assert summary.serving is not None
    assert [step.mode for step in summary.serving.steps[:3]] == ["EXTEND", "TARGET_VERIFY", "DRAFT_EXTEND"]


def test_gaps_between_two_kernels_of_one_step_are_the_steps_although_its_range_is_over() -> None:
    """The host is through with a step of piecewise graphs long before the device is."""
    events = [
        span("execute_context_1(9)_generation_0(0)", 0, 10), launch(1, 1, 1), launch(3, 1, 2),
        kernel("k", 5, 50, 1), kernel("k", 57, 50, 2),
    ]  # fmt: skip
    summary = summarize(trace_of(*events))
    assert summary.device.between.idle_ns == 0
    assert (summary.stages[0].idle.launch_ns, summary.stages[0].idle_ns) == (2_000, 2_000)


@pytest.mark.parametrize("name", ["execute_context_1(9)_generation_0(0)", "tracer/prefill"])
def test_a_pause_behind_the_last_op_of_a_step_is_between(name: str) -> None:
    events = [span(name, 0, 10), launch(1, 1, 1), kernel("k", 5, 50, 1)]
    later = [span(name, 1_000, 10), launch(1_001, 1, 2), kernel("k", 1_005, 50, 2)]
    assert summarize(trace_of(*events, *later)).device.between.idle_ns == (1_000 - 55) * 1000

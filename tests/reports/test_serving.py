"""Reports on servers' traces and on traces without stages, whole."""

from __future__ import annotations

import pytest
from support.chrome import OTHER, Event, kernel, launch, operator, span, trace_of
from support.expected import expected

from reports.document import of_summary
from reports.render import markdown
from reports.text import render
from tracer.document.summary import Summary
from tracer.summarize import Choices, summarize

FLASH = "void flash_fwd_splitkv_kernel<128>(int)"


def _step(label: str, at: float, number: int, length: float = 600) -> list[Event]:
    """A step of 900 us: a matrix product and attention, its sampling and drafting behind the range."""
    return [
        span(label, at, 300), span("gpu_model_runner: forward", at + 10, 200),
        launch(at + 20, 2, number), kernel("gemm", at + 40, length, number),
        launch(at + 30, 2, number + 1), kernel(FLASH, at + 40 + length, 100, number + 1),
        span("gpu_model_runner: draft", at + 320, 50), launch(at + 330, 2, number + 2),
        kernel("small_gemm", at + 740, 60, number + 2),
    ]  # fmt: skip


def _served() -> Summary:
    """A prompt, ramp-up, twelve steps of four sequences that are checked four tokens each, and ramp-down."""
    prompt = "execute_64_context_1(sq64sk64sqsq4096sqsk4096)_generation_0(sq0sk0sqsq0sqsk0)"
    decode = "execute_{0}_context_0(sq0sk0sqsq0sqsk0)_generation_{1}(sq{0}sk{2}sqsq{3}sqsk{4})"
    batches = [1, 2, *[4] * 12, 2]
    labels = [prompt, *(decode.format(4 * n, n, 100 * n, 16 * n, 400 * n) for n in batches)]
    events = [event for place, label in enumerate(labels) for event in _step(label, 1000.0 * place, 10 * place + 1)]
    args = {"Input Dims": [[64, 8, 128], [64, 2, 128]], "Input type": ["c10::BFloat16"] * 2}
    return summarize(
        trace_of(*events, operator("vllm::unified_attention_with_output", 25, 10, **args)),
        Choices(steady=False, peak_tflops=100, peak_gbs=1000),
    )


def _unmarked() -> Summary:
    """A profiler that saw one thread, and the model on another."""
    events: list[Event] = [operator("aten::item", 0, 5)]
    for number in range(1, 9):
        name = "void at::native::vectorized_elementwise_kernel<4>(int)" if number % 2 else "sgemm_128x64"
        events += [launch(100 * number, 3, number, tid=OTHER), kernel(name, 100 * number + 5, 20 + number, number)]
    return summarize(trace_of(*events))


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(("name", "make"), [("served", _served), ("unmarked", _unmarked)])
def test_the_whole_report(name: str, make: object, width: int) -> None:
    assert callable(make)
    found = render(make(), width=width)
    assert found == expected(f"{name}_{width}.txt", found)


@pytest.mark.parametrize(("name", "make"), [("served", _served), ("unmarked", _unmarked)])
def test_markdown_says_the_same(name: str, make: object) -> None:
    assert callable(make)
    found = markdown.render(of_summary(make()), heading="tracer summarize")
    assert found == expected(f"{name}.md", found)


def test_the_steady_part_is_said_before_what_it_held() -> None:
    events = [
        event
        for n, batch in enumerate([1, *[4] * 12, 1])
        for event in _step(f"step[DECODE bs={batch}]", 1000.0 * n, 10 * n + 1)
    ]
    text = render(summarize(trace_of(*events), Choices(steady=True)), width=200)
    assert "by choice: the steady part alone: ramp-up and ramp-down are left out" in text
    assert "steady part: 12 steps of about 4 sequences; left out 1 before and 1 behind (6 device ops, 1.52 ms)" in text
    assert "at least 9 in 10 hold the most common batch within 10 %" in text


def test_why_attention_has_no_roofline_is_said_where_only_the_heads_are_missing() -> None:
    label = "step[DECODE bs=1 g_sq=1 g_sqsq=1 g_sqsk=9 g_sk=9]"
    assert "No roofline of attention: the labels have" in render(summarize(trace_of(*_step(label, 0, 1))), width=200)
    assert "No roofline" not in render(summarize(trace_of(*_step("step[DECODE bs=1]", 0, 1))), width=200)


def test_what_no_label_says_has_no_column() -> None:
    def held(label: str) -> str:
        said = render(summarize(trace_of(span(label, 0, 50), launch(1, 1, 1), kernel("gemm", 2, 8, 1))), width=100)
        return said.partition("what the steps held\n")[2].partition("\n")[0]

    assert held("step[DECODE bs=2]").split() == "stage steps prompts tokens sequences new tokens a token".split()
    assert "KV tokens" in held("step[DECODE bs=2 g_sq=2 g_sqsq=2 g_sqsk=30 g_sk=30]")


def test_a_step_of_a_server_is_called_so_and_a_peak_that_nobody_knows_is_named() -> None:
    label = "step[DECODE bs=4 g_sq=4 g_sqsq=4 g_sqsk=36 g_sk=36]"
    args = {"Input Dims": [[4, 8, 128], [4, 2, 128]], "Input type": ["c10::BFloat16"] * 2}
    events = [
        span(label, 0, 300), launch(20, 2, 1), kernel(FLASH, 40, 100, 1),
        operator("sglang::unified_attention_with_output", 15, 10, **args),
    ]  # fmt: skip
    text = render(summarize(trace_of(*events)), width=120)
    assert "decode steps\n1 step · device time 100 µs\na step: 1 launch · 1 kernel · 0 waits for the device" in text
    assert "No share of a peak: the device's are unknown, see --peak-tflops and --peak-gbs." in text
    known = render(summarize(trace_of(*events), Choices(peak_tflops=100, peak_gbs=1000)), width=120)
    assert "No share of a peak" not in known

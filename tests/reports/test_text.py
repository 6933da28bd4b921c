from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from support.chrome import call, kernel, launch, operator, span, trace_of
from support.expected import expected

from reports.text import render
from tracer.document.manifest import Latencies, Manifest, Shape, Verification, encode
from tracer.document.summary import Summary, decode
from tracer.document.summary import encode as encode_summary
from tracer.summarize import Choices, summarize, summarize_file


def _run(**changes: object) -> Summary:
    import json

    manifest = Manifest(
        schema="tracer.manifest/1", version="1.2.3",
        model={"name": "eventgpt", "size": "7b", "weights": "random", "input": "synthetic"},
        software={"torch": "2.13.0"}, device={"type": "cuda", "name": "GPU"}, dtype="bfloat16", seed=0,
        shape=Shape(batch_size=1, frames=5, visual_tokens=582, prompt_tokens=64, new_tokens=3),
        coupled=bool(changes.get("coupled")), synchronised=False, clock="cuda_event", options={},
        verification=Verification(status=str(changes.get("verified", "passed")), tokens=3),
        clean=[Latencies(
            load_ns=1_000_000, preprocess_ns=2_000_000, vision_ns=30_000, prefill_ns=50_000,
            decode_ns=[20_000, 22_000],
        )],
        profiled=[Latencies(
            load_ns=1_000_000, preprocess_ns=2_000_000, vision_ns=33_000, prefill_ns=60_000,
            decode_ns=[30_000, 33_000],
        )],
    )  # fmt: skip
    trace = trace_of(
        span("tracer/request#0", 0, 200),
        span("tracer/vision", 0, 20),
        span("tracer/prefill", 20, 20),
        span("tracer/decode#1", 40, 20),
        span("tracer/decode#2", 60, 20),
        launch(1, 1, 1), launch(21, 1, 2), launch(41, 1, 3), launch(61, 1, 4),
        call("cudaStreamSynchronize", 62, 10), launch(90, 1, 5),
        kernel("void gemm<float, (Layout)1>(float*)", 10, 30, 1),
        kernel("gemm", 45, 50, 2), kernel("gemv", 100, 20, 3), kernel("gemv", 130, 22, 4),
        kernel("stray", 160, 5, 5), kernel("orphan", 170, 5),
        tracer=json.loads(encode(manifest)),
    )  # fmt: skip
    return summarize(trace)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_whole_report(width: int) -> None:
    found = render(_run(), width=width)
    assert found == expected(f"summary_{width}.txt", found)


@pytest.mark.parametrize("width", [20, 40, 77, 78, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, render(_run(), width=width).splitlines())) <= width


def test_colours_come_only_when_asked_for() -> None:
    plain, coloured = render(_run()), render(_run(), colours="truecolor")
    assert "\x1b" not in plain
    assert "\x1b" in coloured
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in stripped.splitlines()] == plain.splitlines()


def test_what_was_done_on_purpose_is_said() -> None:
    assert "coupled on purpose" in render(_run(coupled=True))
    assert "not verified" in render(_run(verified="skipped"))


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"verified_shapes": 1, "shapes": 1}, "verified: 3 tokens equal the model's own generate\n"),
        ({"verified_shapes": 2, "shapes": 2}, "verified: 3 tokens equal the model's own generate, in all 2 shapes of"),
        (
            {"verified_shapes": 1, "shapes": 2},
            "verified in part: 3 tokens equal .*, in 1 of 2 shapes of requests alone",
        ),
        (
            {"verification": "differs", "first_difference": 2, "verified_shapes": 3, "shapes": 4},
            "from token 2 of 3 on, the tokens differ .*; in 3 of 4 shapes of requests they do not",
        ),
        (
            {"verification": "differs", "first_difference": 2, "tie": {"margin": 0.0156, "rounding": 0.0625}},
            r"generate: ties within rounding \(at most 0.0156 below the likeliest",
        ),
        ({"verification": "differs", "first_difference": 2, "tie": ["anything"]}, "the model's own generate\n"),
    ],
)
def test_verification_says_of_how_many_shapes_it_speaks(run: dict[str, object], said: str) -> None:
    summary = _run()
    text = render(msgspec.structs.replace(summary, run={**summary.run, **run}), width=200)
    assert re.search(said, text)


def test_names_from_a_file_cannot_steer_the_terminal_or_the_markup() -> None:
    name = "\x1b[2J[red]evil[/red]\r\nkernel"
    trace = trace_of(span("tracer/vision", 0, 9), launch(1, 1, 1), kernel(name, 2, 1, 1), span(name, 20, 1))
    for colours in (None, "truecolor"):
        report = render(summarize(trace, Choices(by="kernel")), colours=colours, width=120)
        assert "\\x1b[2J[red]evil[/red]\\r\\nkernel" in report
        assert "\x1b[2J" not in report


def test_a_trace_without_stages_lists_its_ranges() -> None:
    trace = trace_of(span("forward", 0, 9), span("idle", 10, 1), launch(1, 1, 1), kernel("k", 2, 4, 1))
    assert (
        "ranges\n"
        "name     count     host  ops   device   share  projected  kernels\n"
        "forward      1  9.00 µs    1  4.00 µs  100.0%    4.00 µs  4.00 µs\n"
        "idle         1  1.00 µs    0     0 ns    0.0%       0 ns     0 ns\n"
        "Device ops by the ranges around their launch; an op counts for every range that\n"
        "encloses it. host: the ranges on the CPU. Projected, kernels: as nsys stats has\n"
        "them; spans with gaps, and nested ranges of one name add up.\n"
    ) in render(summarize(trace))


def test_many_ranges_are_cut_and_the_rest_is_counted() -> None:
    trace = trace_of(kernel("k", 0, 1), *[span(f"range {i}", i, 1) for i in range(40)])
    assert "25 more names: --top 40." in " ".join(render(summarize(trace)).split())


def test_a_trace_without_anything_is_no_error() -> None:
    assert "no device work and no operators in this trace" in render(summarize(trace_of()))


def test_an_operator_trace_says_so() -> None:
    report = render(summarize(trace_of(span("tracer/vision", 0, 9), operator("aten::mm", 1, 2))))
    assert "no device work in this trace: charged by operator self time" in report
    assert "of the operator time has a name that says nothing" in report


def test_decode_steps_say_how_they_grow_and_which_stand_out() -> None:
    events = [span("tracer/request#0", 0, 5000)]
    for k in range(1, 13):
        late = 200 if k == 7 else 0
        at = 100 * k + (200 if k > 7 else 0)
        events += [span(f"tracer/decode#{k}", at, 100 + late), launch(at + 2 + late, 1, k)]
        events.append(kernel("k", at + 10 + late, 40 + k, k))
    report = render(summarize(trace_of(*events)))
    assert "device time grows by 1.00 µs per token of cache (95 % interval 1.00 µs to 1.00 µs)" in report.replace(
        "\n", " "
    )
    assert "steps that stand out: #7 +200 µs (host)" in report


def test_warnings_are_shown() -> None:
    trace = trace_of(kernel("k", 0, 1), kernel("bad", 0, -1))
    assert "warning: 1 device op left out (bad): negative duration" in " ".join(render(summarize(trace)).split())


@pytest.mark.parametrize("width", [40, 80, 120])
def test_every_real_trace_is_rendered_and_survives_the_json_round_trip(chrome_trace: Path, width: int) -> None:
    summary = summarize_file(chrome_trace)
    assert max(map(len, render(summary, width=width).splitlines())) <= width
    assert decode(encode_summary(summary)) == summary

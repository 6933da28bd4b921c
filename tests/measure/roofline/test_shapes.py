from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.chrome import Event, kernel, launch, operator, span, trace_of
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from reports.text import render
from tracer.document.summary import Roofline, decode, encode
from tracer.measure.roofline.recorded import NO_SHAPES
from tracer.measure.roofline.shapes import FORMULAS, OperatorWork, work_of
from tracer.summarize import Choices, summarize, summarize_file

BF16, F32 = "c10::BFloat16", "float"


def _work(
    name: str, dims: list[Any], types: list[str] | None = None, concrete: list[str] | None = None
) -> OperatorWork | None:
    texts = (dims, types or [BF16 for _ in dims], concrete or ["" for _ in dims])
    return work_of(name, *(json.dumps(text).encode() for text in texts))


CONV = ["", "", "", "[2, 2]", "[1]", "[1, 1]", "False", "[0, 0]", "1"]
ATTENTION = [[2, 8, 5, 64], [2, 2, 7, 64], [2, 2, 7, 32]]


@pytest.mark.parametrize(
    ("name", "dims", "concrete", "flops", "elements"),
    [
        ("aten::mm", [[3, 4], [4, 5]], None, 2 * 3 * 4 * 5, 12 + 20 + 15),
        ("aten::addmm", [[5], [3, 4], [4, 5], [], []], None, 2 * 3 * 4 * 5, 5 + 12 + 20 + 15),
        ("aten::bmm", [[2, 3, 4], [2, 4, 5]], None, 2 * 2 * 3 * 4 * 5, 24 + 40 + 30),
        ("aten::baddbmm", [[2, 3, 5], [2, 3, 4], [2, 4, 5]], None, 2 * 2 * 3 * 4 * 5, 30 + 24 + 40 + 30),
        ("aten::linear", [[2, 3, 4], [5, 4], [5]], None, 2 * 6 * 4 * 5, 24 + 20 + 5 + 30),
        ("aten::linear", [[2, 3, 4], [5, 4], []], None, 2 * 6 * 4 * 5, 24 + 20 + 30),
        (
            "aten::convolution", [[1, 3, 8, 8], [16, 3, 3, 3], [16], *[[]] * 6], CONV,
            2 * 16 * 16 * 27, 192 + 432 + 16 + 256,
        ),
        (
            "aten::_scaled_dot_product_flash_attention", ATTENTION, None,
            2 * 2 * 8 * 5 * 7 * (64 + 32), 2 * 8 * 5 * 64 + 2 * 2 * 7 * (64 + 32) + 2 * 8 * 5 * 32,
        ),
        (
            "flash_attn::_flash_attn_forward", [[2, 5, 8, 64], [2, 7, 2, 64], [2, 7, 2, 64]], None,
            2 * 2 * 8 * 5 * 7 * 128, 2 * 2 * 5 * 8 * 64 + 2 * 2 * 2 * 7 * 64,
        ),
    ],
)  # fmt: skip
def test_the_formulas(name: str, dims: list[Any], concrete: list[str] | None, flops: int, elements: int) -> None:
    assert _work(name, dims, concrete=concrete) == OperatorWork(flops, 2 * elements, "bfloat16")
    assert _work(name, dims, [F32] * len(dims), concrete) == OperatorWork(flops, 4 * elements, "float32")


@pytest.mark.parametrize(
    ("queries", "keys", "hidden"),
    [(5, 7, 5 * 4 // 2), (7, 7, 7 * 6 // 2), (1, 7, 0), (7, 5, 0)],
    ids=["behind cached ones", "a prompt", "a step", "more queries than keys"],
)
def test_a_causal_mask_may_hide_the_pairs_above_the_diagonal(queries: int, keys: int, hidden: int) -> None:
    shapes = [[2, 8, queries, 64], [2, 8, keys, 64], [2, 8, keys, 32]]
    work = _work("aten::_scaled_dot_product_flash_attention", shapes)
    assert work is not None
    assert work.hideable_flops == 2 * 8 * hidden * 2 * (64 + 32)


def test_the_outputs_of_8_bit_products_are_wider() -> None:
    types = ["c10::Float8_e4m3fn"] * 2
    assert _work("aten::_scaled_mm", [[3, 4], [4, 5]], types) == OperatorWork(120, 12 + 20 + 2 * 15, "float8_e4m3fn")


@pytest.mark.parametrize(
    ("name", "dims", "types", "concrete"),
    [
        ("aten::add", [[3, 4], [3, 4]], None, None),
        ("aten::mm", [[3, 4], [5, 4]], None, None),
        ("aten::mm", [[3, 4]], None, None),
        ("aten::mm", [], None, None),
        ("aten::mm", [[3, 4], [4, 5]], ["c10::complex<float>", "float"], None),
        ("aten::mm", [[3, 4], [4, 5]], [BF16], None),
        ("aten::mm", [[[3, 4], [3, 4]], [4, 5]], None, None),
        ("aten::mm", [[-3, 4], [4, 5]], None, None),
        ("aten::mm", [[3.5, 4], [4, 5]], None, None),
        ("aten::mm", [[10**30, 4], [4, 10**30]], None, None),
        ("aten::mm", [{"a": 1}, None], None, None),
        ("aten::linear", [[2] * 100_000, [5, 2]], None, None),
        ("aten::linear", [[2, 4], [4]], None, None),
        ("aten::convolution", [[1, 3, 8, 8], [16, 3, 3, 3], []], None, None),
        ("aten::convolution", [[1, 3, 8, 8], [16, 3, 3, 3], *[[]] * 7], None, [*CONV[:3], "[0, 0]", *CONV[4:]]),
        ("aten::convolution", [[1, 3, 1, 1], [16, 3, 9, 9], *[[]] * 7], None, CONV),
        ("aten::convolution", [[1, 3, 8, 8], [16, 3, 3, 3], *[[]] * 7], None, [*CONV[:6], "maybe", *CONV[7:]]),
        ("aten::_scaled_dot_product_flash_attention", [[2, 8, 5, 64], [2, 8, 7, 32], [2, 8, 7, 32]], None, None),
        ("aten::_flash_attention_forward", [[99, 8, 64], [99, 8, 64], [99, 8, 64], [4]], None, None),
    ],
)
def test_what_does_not_fit_has_no_work(
    name: str, dims: list[Any], types: list[str] | None, concrete: list[str] | None
) -> None:
    assert _work(name, dims, types, concrete) is None


@pytest.mark.parametrize("text", [b"", b"[", b"7", b'"x"', b"[" * 100_000, b"\xff"])
def test_damaged_shapes_have_no_work(text: bytes) -> None:
    for name in FORMULAS:
        assert work_of(name, text, text, text) is None


# against the counter of PyTorch


class _Network(nn.Module):
    """One of everything that has a formula and that a CPU runs."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 3, stride=2, padding=1, groups=1)
        self.depthwise = nn.Conv2d(16, 16, 3, groups=16, dilation=2)
        self.line = nn.Conv1d(16, 8, 3)
        self.up = nn.ConvTranspose2d(16, 4, 3, stride=2, output_padding=1)
        self.query, self.out = nn.Linear(16, 32), nn.Linear(32, 16, bias=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        grid = self.depthwise(self.patch(pictures))
        lines, wide = self.line(grid.flatten(2)), self.up(grid)
        heads = self.query(grid.flatten(2).transpose(1, 2)).unflatten(-1, (4, 8)).transpose(1, 2)
        seen = functional.scaled_dot_product_attention(heads, heads, heads, is_causal=True)
        scores = torch.baddbmm(torch.zeros(1), heads[:, 0], heads[:, 0].transpose(1, 2))
        mixed = torch.einsum("bhqd,bhkd->bhqk", heads, heads) @ heads
        vector = self.query(torch.ones(16)).sum() + torch.ones(5, 7).mm(torch.ones(7, 9)).sum()
        return (
            self.out((seen + mixed).transpose(1, 2).flatten(2)).sum() + scores.sum() + lines.sum() + wide.sum() + vector
        )


def _recorded(path: Path, work: Callable[[], object], **options: Any) -> tuple[Roofline | None, int]:
    """The roofline of a recording, and the operations that PyTorch counts."""
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            work()
        with profile(activities=[ProfilerActivity.CPU], **options) as recorder:
            work()
    recorder.export_chrome_trace(str(path))
    return summarize_file(path, Choices(shapes=True)).roofline, counter.get_total_flops()


@pytest.mark.parametrize("backend", [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH])
def test_as_many_operations_as_pytorch_counts(tmp_path: Path, backend: SDPBackend) -> None:
    network, pictures = _Network(), torch.rand(2, 3, 20, 20)
    with sdpa_kernel(backend):
        roof, counted = _recorded(tmp_path / "run.json", lambda: network(pictures), record_shapes=True)
    if backend is SDPBackend.FLASH_ATTENTION:  # whose operator on CPUs it does not know
        heads = (2, 4, 36, 8)
        counted += sdpa_flop_count(heads, heads, heads)
    assert roof is not None
    (row,) = roof.stages
    assert (row.stage, row.flops, roof.dtype, roof.source) == ("", counted, "float32", "shapes")
    assert row.covered is not None
    assert 0 < row.covered < 1


def test_without_shapes_a_recording_says_nothing_but_how_to_get_them(tmp_path: Path) -> None:
    roof, _ = _recorded(tmp_path / "run.json", lambda: torch.ones(3, 4) @ torch.ones(4, 5))
    assert roof is None
    assert NO_SHAPES in summarize_file(tmp_path / "run.json", Choices(shapes=True)).trace.warnings


# on a device


def _shaped(name: str, ts: float, dur: float, dims: list[Any], tid: int = 1) -> Event:
    return operator(
        name,
        ts,
        dur,
        tid,
        **{"Input Dims": dims, "Input type": [BF16] * len(dims), "Concrete Inputs": [""] * len(dims)},
    )


MM = [[100, 200], [200, 300]]
FLOPS, BYTES = 12_000_000, 2 * (20_000 + 60_000 + 30_000)
H100 = {"deviceProperties": [{"id": 0, "name": "NVIDIA H100 80GB HBM3"}]}


def _two_stages(*more: Event) -> list[Event]:
    """Prefill makes two products, one of them inside a linear, and an addition; decode has none."""
    return [
        span("tracer/prefill", 0, 100), span("tracer/decode#1", 100, 50),
        _shaped("aten::linear", 5, 20, [[100, 200], [300, 200]]), _shaped("aten::mm", 7, 10, MM), launch(8, 1, 1),
        _shaped("aten::mm", 30, 10, MM), launch(31, 1, 2), operator("aten::add", 50, 5), launch(51, 1, 3),
        operator("aten::add", 110, 5), launch(111, 1, 4), *more,
        kernel("gemm", 10, 30, 1), kernel("gemm", 40, 30, 2), kernel("add", 70, 20, 3), kernel("add", 112, 5, 4),
    ]  # fmt: skip


def _roof(*events: Event, **metadata: Any) -> Roofline:
    roof = summarize(trace_of(*events, **metadata), Choices(shapes=True)).roofline
    assert roof is not None
    return roof


def test_a_stages_work_is_that_of_its_operators_and_none_counts_twice() -> None:
    roof = _roof(*_two_stages(), **H100)
    (row,) = roof.stages
    assert (row.stage, row.flops, row.bytes, row.busy_ns) == ("prefill", 2 * FLOPS, 2 * BYTES, 80_000)
    assert row.covered == pytest.approx(60 / 80)
    assert row.tflops == pytest.approx(2 * FLOPS / 80_000 / 1e3)
    assert row.intensity == pytest.approx(FLOPS / BYTES)
    assert row.mfu == pytest.approx(2 * FLOPS / 989.4e12 / 80e-6)
    assert roof.dtype == "bfloat16"


def test_a_linear_without_a_product_inside_counts_itself() -> None:
    alone = [_shaped("aten::linear", 60, 20, [[100, 200], [300, 200]]), launch(62, 1, 9), kernel("own", 95, 10, 9)]
    (row,) = _roof(*_two_stages(*alone)).stages
    assert row.flops == 3 * FLOPS
    assert row.covered == pytest.approx(70 / 90)


def test_a_trace_without_stages_is_one_row() -> None:
    roof = _roof(_shaped("aten::mm", 5, 10, MM), launch(6, 1, 1), kernel("gemm", 10, 30, 1))
    assert [(row.stage, row.runs, row.flops, row.covered) for row in roof.stages] == [("", 1, FLOPS, 1.0)]


def test_sums_of_damaged_shapes_stay_in_64_bits() -> None:
    huge = [_shaped("aten::mm", 5 + n / 1000, 0.001, [[2**17, 2**17], [2**17, 2**17]]) for n in range(2000)]
    summary = summarize(trace_of(*huge, launch(6, 1, 1), kernel("gemm", 10, 30, 1)), Choices(shapes=True))
    assert summary.roofline is not None
    assert summary.roofline.stages[0].flops == 1 << 62
    assert decode(encode(summary)) == summary


def test_of_what_little_is_known_no_limit_is_said() -> None:
    known = [_shaped("aten::mm", 5, 10, MM), launch(6, 1, 1), kernel("gemm", 10, 30, 1)]
    assert _roof(*known, **H100).stages[0].limited_by == "kernels"
    assert _roof(*known, kernel("k", 40, 60), **H100).stages[0].limited_by is None


def test_the_data_sheet_says_nothing_of_other_types() -> None:
    types = {"Input Dims": MM, "Input type": ["double", "double"]}
    roof = _roof(operator("aten::mm", 5, 10, **types), launch(6, 1, 1), kernel("gemm", 10, 30, 1), **H100)
    assert (roof.dtype, roof.peak_tflops, roof.stages[0].mfu) == ("float64", None, None)
    assert roof.stages[0].mbu is not None


def test_the_report_says_where_the_figures_come_from_and_what_they_cover() -> None:
    text = render(summarize(trace_of(*_two_stages(), **H100), Choices(shapes=True)))
    assert "From recorded shapes" in text
    assert "75.0%" in text
    narrow = render(summarize(trace_of(*_two_stages(), **H100), Choices(shapes=True)), width=60)
    assert re.search(r"^prefill +80.0 µs +0.30 +0.0% +0.2% +75.0%  kernels,$", narrow, re.MULTILINE)
    assert "From recorded shapes" not in render(summarize(trace_of(*_two_stages(), **H100)))


def test_real_shapes(chrome_trace: Path) -> None:
    summary = summarize_file(chrome_trace, Choices(shapes=True))
    if summary.roofline is None:
        assert any(words == NO_SHAPES or "no device ops" in words for words in summary.trace.warnings)
        return
    for row in summary.roofline.stages:
        assert row.covered is not None
        assert 0 <= row.covered <= 1
        assert row.mfu is None or row.mfu < 1
    if chrome_trace.name == "kineto_mi355x_compiled_triton.json.gz":
        (row,) = summary.roofline.stages
        assert row.covered == pytest.approx(0.933, abs=0.001)  # all but its Triton kernels
        assert 300 < row.tflops < 2500  # an MI355X has 2,500 dense TFLOP/s in bfloat16

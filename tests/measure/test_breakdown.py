from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chrome import (
    EVERYTHING,
    OTHER,
    call,
    document,
    kernel,
    launch,
    module,
    operator,
    read_bytes,
    span,
    trace_of,
)
from support.strategies import gpu_traces

import tracer.measure.by as folder
from reports.document import of_summary
from reports.render.text import render
from tracer.document.errors import InputError
from tracer.measure.ways import Way, ways
from tracer.summarize import Choices, summarize, summarize_file
from tracer.trace.columns import Trace, Want


def _rows(trace: Trace, by: str) -> list[tuple[str, str, int, int]]:
    found = summarize(trace, Choices(by=by)).breakdown
    assert found is not None
    assert found.by == by
    return [(row.stage, row.name, row.ops, row.device_time_ns) for row in found.rows]


NESTED = (
    span("tracer/prefill", 0, 50),
    module("LlamaDecoderLayer_0", 0, 20), module("LlamaMLP_0", 5, 10), module("LlamaDecoderLayer_1", 20, 10),
    module("Linear_0", 32, 5), operator("aten::linear", 6, 5), operator("aten::addmm", 7, 2),
    launch(8, 1, 1), launch(25, 1, 2), launch(40, 1, 3), launch(8, 1, 4, tid=OTHER), launch(60, 1, 5),
    kernel("ampere_sgemm", 10, 4, 1), kernel("ampere_sgemm", 26, 3, 2), kernel("k", 41, 2, 3),
    kernel("elsewhere", 50, 1, 4, stream=8), kernel("late", 62, 1, 5), kernel("orphan", 70, 1),
)  # fmt: skip


def test_by_module() -> None:
    assert _rows(trace_of(*NESTED), "module") == [
        ("prefill", "LlamaMLP", 1, 4_000),
        ("prefill", "LlamaDecoderLayer", 1, 3_000),
        ("prefill", "outside modules", 1, 2_000),
        ("", "outside modules", 2, 2_000),
        ("", "launch not recorded", 1, 1_000),
    ]


def test_by_layer() -> None:
    assert _rows(trace_of(*NESTED), "layer")[:3] == [
        ("prefill", "LlamaDecoderLayer_0", 1, 4_000),
        ("prefill", "LlamaDecoderLayer_1", 1, 3_000),
        ("prefill", "outside layers", 1, 2_000),
    ]


def test_blocks_inside_blocks_are_one_layer() -> None:
    trace = trace_of(module("Block_7", 0, 20), module("MLPBlock_3", 2, 8), launch(4, 1, 1), kernel("k", 9, 1, 1))
    assert _rows(trace, "layer") == [("", "Block_7", 1, 1_000)]


def test_by_operator_the_innermost_counts() -> None:
    assert _rows(trace_of(*NESTED), "op")[:2] == [
        ("prefill", "outside operators", 2, 5_000),
        ("prefill", "aten::addmm", 1, 4_000),
    ]


def test_by_kernel_category_and_stream() -> None:
    trace = trace_of(*NESTED)
    assert ("prefill", "ampere_sgemm", 2, 7_000) in _rows(trace, "kernel")
    assert ("prefill", "gemm", 2, 7_000) in _rows(trace, "category")
    assert ("", "device 0, stream 8", 1, 1_000) in _rows(trace, "stream")


def test_kernels_of_a_graph_are_said_to_be_its_replay() -> None:
    nodes = [kernel(f"node{i}", 20 + i, 1, 9) for i in range(3)]
    trace = trace_of(module("Block_0", 0, 10), operator("replay", 0, 5), call("cudaGraphLaunch", 1, 1, 9), *nodes)
    for by in ("module", "layer", "op"):
        assert _rows(trace, by) == [("", "graph replay", 3, 3_000)]


def test_operators_of_a_cpu_trace() -> None:
    trace = trace_of(span("tracer/vision", 0, 20), module("Linear_4", 0, 9), operator("aten::mm", 1, 5))
    assert _rows(trace, "module") == [("vision", "Linear", 1, 5_000)]
    assert _rows(trace, "op") == [("vision", "aten::mm", 1, 5_000)]
    assert _rows(trace, "stream") == [("vision", "thread 1", 1, 5_000)]


HOW = {
    "grid": [16, 4, 1], "block": [128, 1, 1], "registers per thread": 96, "shared memory": 49152,
    "est. achieved occupancy %": 12,
}  # fmt: skip


def test_by_kernel_says_how_it_was_launched_the_most_time_first() -> None:
    other = {**HOW, "grid": [8, 1, 1], "est. achieved occupancy %": 0}
    events = [
        span("tracer/prefill", 0, 9), launch(1, 1, 1), launch(2, 1, 2), launch(3, 1, 3), launch(4, 1, 4),
        kernel("k", 5, 4, 1, args=HOW), kernel("k", 10, 7, 2, args=other), kernel("k", 20, 5, 3, args=HOW),
        kernel("silent", 30, 1, 4),
    ]  # fmt: skip
    trace = read_bytes(document(*events), EVERYTHING | Want.LAUNCHED)
    summary = summarize(trace, Choices(by="kernel"))
    assert summary.breakdown is not None
    told, silent = summary.breakdown.rows
    assert [(one.grid, one.count, one.time_ns, one.occupancy) for one in told.launches] == [
        ((16, 4, 1), 2, 9000, 0.12),
        ((8, 1, 1), 1, 7000, None),
    ]
    assert (told.launches[0].block, told.launches[0].registers, told.launches[0].shared_bytes) == (
        (128, 1, 1),
        96,
        49152,
    )
    assert silent.launches == []
    said = render(of_summary(summary), width=140)
    assert "16x4 +1    128    96  49.2 KB     12%" in said
    narrow = " ".join(render(of_summary(summary), width=50).split())
    assert "left out for want of room: block, regs, shared, occup." in narrow


def test_without_what_says_it_the_table_is_as_it_was() -> None:
    found = summarize(trace_of(*NESTED), Choices(by="kernel"))
    assert found.breakdown is not None
    assert not any(row.launches for row in found.breakdown.rows)
    assert "grid" not in render(of_summary(found), width=140)


@given(gpu_traces(), st.sampled_from(["kernel", "category", "stream"]))
def test_the_rows_add_up(trace: Trace, by: str) -> None:
    summary = summarize(trace, Choices(by=by))
    assert summary.breakdown is not None
    rows = summary.breakdown.rows
    assert sum(row.device_time_ns for row in rows) == summary.device.time_ns
    assert sum(row.busy_ns for row in rows) == summary.device.busy_ns
    for stage in summary.stages:
        assert sum(row.ops for row in rows if row.stage == stage.stage) == stage.ops


@pytest.mark.parametrize("by", sorted(name for name, way in ways().items() if isinstance(way, Way)))
def test_real_traces_add_up_by_everything_they_have(chrome_trace: Path, by: str) -> None:
    try:
        summary = summarize_file(chrome_trace, Choices(by=by))
    except InputError as error:
        assert ways()[by].needs & (Want.MODULES | Want.CPU_OPS | Want.ASKERS), error
        return
    assert summary.breakdown is not None
    assert sum(row.device_time_ns for row in summary.breakdown.rows) == summary.device.time_ns


def test_what_a_trace_lacks_is_said() -> None:
    trace = trace_of(kernel("k", 0, 1))
    with pytest.raises(InputError, match="no modules in it for --by layer; .* with with_stack=True"):
        summarize(trace, Choices(by="layer"))
    with pytest.raises(InputError, match="no operators in it for --by op"):
        summarize(trace, Choices(by="op"))


# All of it: a way to break device time down is one file, and its name is what a person asks for.
BY_DEVICE = """
from tracer.arrays import coded
from tracer.measure.ways import Keys, Way
def _keys(trace, work):
    devices, number = coded(work.device)
    return Keys([f"device {device}" for device in devices], number)
WAY = Way(keys=_keys, meaning="device: of a test.")
"""


def test_a_way_that_is_one_more_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "device_of_a_test.py").write_text(BY_DEVICE)
    trace = trace_of(kernel("a", 0, 3), kernel("b", 0, 5, device=1), kernel("c", 9, 1, device=1))
    with monkeypatch.context() as patch:
        patch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
        ways.cache_clear()
        rows = _rows(trace, "device_of_a_test")
    ways.cache_clear()
    assert rows == [("", "device 1", 2, 6_000), ("", "device 0", 1, 3_000)]
    assert sorted(ways()) == ["category", "host", "kernel", "layer", "module", "op", "stream"]

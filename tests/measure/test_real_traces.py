"""Laws on traces that others recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import real_traces
from support.counted import counted

from tracer.summarize import Choices, summarize, summarize_file
from tracer.trace.columns import Want
from tracer.trace.reader import read_trace


def test_every_nanosecond_of_every_trace_is_accounted_for(chrome_trace: Path) -> None:
    trace = read_trace(chrome_trace, Want.SUMMARY | Want.CPU_OPS)
    summary = summarize(trace)
    device, rest = summary.device, summary.device.unattributed
    work = trace.ops if len(trace.ops) else trace.cpu_ops
    assert device.ops == len(work)
    for attribute in ("busy_ns", "idle_ns"):
        total = sum(getattr(stage, attribute) for stage in summary.stages) + getattr(rest, attribute)
        assert total + (device.between.idle_ns if attribute == "idle_ns" else 0) == getattr(device, attribute)
    assert sum(stage.device_time_ns for stage in summary.stages) + rest.time_ns == device.time_ns
    if len(trace.ops):
        assert device.time_ns == sum((trace.ops.end_ns - trace.ops.start_ns).tolist())
        windows = 0
        for number in np.unique(trace.ops.device).tolist():
            rows = trace.ops.device == number
            windows += int(trace.ops.end_ns[rows].max() - trace.ops.start_ns[rows].min())
        assert device.busy_ns + device.idle_ns == windows


@pytest.mark.parametrize("path", real_traces("*.json.gz"), ids=lambda path: path.name.partition(".")[0])
def test_a_count_that_shares_no_code_with_the_reader_finds_the_same(path: Path) -> None:
    found = counted(path)
    summary = summarize_file(path, Choices(all_ranges=True))
    device, ranges = summary.device, summary.ranges
    assert {row.name: row.count for row in ranges} == {name: count for name, (count, *_) in found.ranges.items()}
    assert (device.kind == "gpu") is (found.ops > 0)
    if found.ops:
        counts = (device.ops, device.time_ns, device.busy_ns, device.idle_ns)
        assert counts == (found.ops, found.time_ns, found.busy_ns, found.idle_ns)
        assert {row.name: (row.count, row.ops, row.device_time_ns) for row in ranges} == found.ranges


def test_the_vllm_prefill_step_has_all_its_kernels(data: Path) -> None:
    summary = summarize_file(data / "kineto_b200_vllm_eager.json.gz")
    assert summary.trace.markers == "vllm"
    (stage,) = summary.stages
    assert (stage.stage, stage.calls, stage.ops) == ("prefill", 1, 929)
    assert stage.device_time_ns == summary.device.time_ns == 11_665_760
    assert summary.device.unattributed.ops == 0


def test_the_sglang_decode_step_has_all_its_graphs_kernels(data: Path) -> None:
    summary = summarize_file(data / "kineto_mi300x_sglang_decode_graph.json.gz")
    assert summary.trace.markers == "sglang"
    (stage,) = summary.stages
    assert (stage.stage, stage.ops) == ("decode", 551)
    assert [token.index for token in summary.tokens] == [1]


def test_a_trace_without_a_gpu_says_so(data: Path) -> None:
    from reports.text import render

    summary = summarize_file(data / "kineto_cpu_only.json.gz")
    assert (summary.device.kind, summary.stages) == ("cpu", [])
    assert "no device work in this trace" in render(summary)

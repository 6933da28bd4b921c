"""Which findings each real trace raises, in the order of the report; each was looked at and makes sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracer.summarize import summarize_file

# Without stages there is next to nothing to find.
RAISED: dict[str, list[str]] = {
    # 16 copies of memory that is not pinned take five sixths of the device's time.
    "kineto_alexnet": ["copies-dominate"],
    # One eager prefill step under a profiler with stacks: 73 of 84 ms idle. Its kernels let the next ones in early.
    "kineto_b200_vllm_eager": ["launch-bound", "same-stream-overlap"],
    "kineto_cpu_only": [],
    # 24 layers of five batches have their softmax by itself, over scores of 860 MB.
    "kineto_h100_owlv2": ["unfused-attention"],
    "kineto_mi210_gpu_only": [],
    # One batch, a kernel of 6 us every 57 us.
    "kineto_mi300x_bert": ["launch-bound"],
    # One decode step from a graph, busy for 94 % of its time, which waited 463 ms for another stream before it began.
    "kineto_mi300x_sglang_decode_graph": ["idle-between-steps"],
    # Piecewise graphs, idle for 0.2 %; one overlap of 112 ns is not worth a word.
    "kineto_mi300x_vllm_piecewise_graph": [],
    "kineto_mi355x_compiled_triton": [],
    "kineto_ns_resolution": [],
    "kineto_rank0_sampled": [],
    "kineto_rank_non_gpu": [],
    # NVTX ranges of a CPU run: nothing ran on a device, so no share of anything is known.
    "nsight_cpu_nvtx": [],
    "nsight_h100_2gpu": [],
    # Prefill is a softmax and a copy to the host, 50 ms after vision; nsys itself worked for 30 ms of that.
    "nsight_h200_gemms": ["bottleneck-stage", "launch-bound", "copies-dominate"],
    # Its decode steps end with a wait, 192 us before the next launch. That preprocess waits for the host is its nature.
    "nsight_made_requests": ["bottleneck-stage", "sync-per-token"],
    "nsight_nvtx_kinds": [],
    "nsight_synthetic_mock": [],
}


def _check(trace: Path) -> None:
    name = trace.name.partition(".")[0]
    if name not in RAISED:
        pytest.skip(f"nobody has looked at {name} yet")
    assert [finding.id for finding in summarize_file(trace).findings] == RAISED[name]


def test_a_chrome_trace_raises_what_it_should(chrome_trace: Path) -> None:
    _check(chrome_trace)


def test_an_nsight_export_raises_what_it_should(nsight_export: Path) -> None:
    _check(nsight_export)


def test_every_trace_of_the_repository_was_looked_at(data: Path) -> None:
    traces = [*data.glob("kineto_*.json.gz"), *data.glob("nsight_*.sqlite")]
    assert {trace.name.partition(".")[0] for trace in traces} <= RAISED.keys()

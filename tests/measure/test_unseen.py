"""Traces of GPU jobs that hold nothing of what the GPU did."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.chrome import Event, call, capture, kernel, launch, operator, span, trace_of
from support.manifests import as_metadata, latencies

from reports.text import render
from tracer.document.summary import UNWORKED
from tracer.measure.unseen import PERHAPS, needs_device
from tracer.summarize import Choices, summarize, summarize_file

SHAPES = {"Input Dims": [[64, 64], [64, 64]], "Input type": ["float", "float"], "Concrete Inputs": ["", ""]}
PRODUCT = (span("tracer/prefill", 0, 90), operator("aten::mm", 10, 50, **SHAPES))
ALONE = "recorded without the device's activity; times are the host's alone, and no rates follow from them"


def _warnings(*events: Event, **metadata: object) -> tuple[list[str], bool]:
    """The warnings, and whether there are rates."""
    summary = summarize(trace_of(*events, **metadata), Choices(shapes=True))
    return summary.trace.warnings, summary.roofline is not None


def test_launches_without_work_are_a_gpus_job() -> None:
    found = _warnings(*PRODUCT, launch(12, 1, 1), launch(14, 1, 2), call("hipGraphLaunch", 16, 1, 3))
    assert found == ([f"3 launches (cudaLaunchKernel, hipGraphLaunch) but no device ops: {ALONE}"], False)


def test_a_runtimes_launch_and_the_drivers_inside_it_are_one() -> None:
    calls = [call("urEnqueueKernelLaunchWithArgsExp", 12, 4, 1), call("zeCommandListAppendLaunchKernel", 13, 2, 1)]
    (said,), _ = _warnings(*PRODUCT, *calls)
    assert said.startswith("1 launch (urEnqueueKernelLaunchWithArgsExp) but no device ops")


def test_a_call_of_the_driver_inside_one_of_the_runtime_is_no_launch_more() -> None:
    found = _warnings(*PRODUCT, launch(12, 4, 1), call("cuLaunchKernel", 13, 2, 2), launch(20, 4, 3))
    assert found == ([f"2 launches (cudaLaunchKernel) but no device ops: {ALONE}"], False)


def test_a_cpus_job_has_no_launches_and_keeps_its_rates() -> None:
    assert _warnings(*PRODUCT) == ([], True)
    asked_only = [call("cudaGetDeviceCount", 12, 1), call("cudaLaunchHostFunc", 14, 1), call("cudaMalloc", 16, 1)]
    assert _warnings(*PRODUCT, *asked_only) == ([], True)


def test_work_that_was_recorded_is_not_missed() -> None:
    found = _warnings(*PRODUCT, launch(12, 1, 1), operator("aten::record_stream", 70, 1), kernel("gemm", 20, 5, 1))
    assert found == ([], True)


def test_operators_that_only_a_gpu_runs_are_a_gpus_job() -> None:
    found = _warnings(*PRODUCT, operator("aten::record_stream", 70, 1))
    assert found == ([f"1 operator of a device (aten::record_stream) but no device ops: {ALONE}"], False)


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (("musaLaunchKernel", "musaLaunchKernel"), f"2 launches (musaLaunchKernel) but no device ops: {ALONE}"),
        (("nrt_execute",), f"1 call of a runtime (nrt_execute) but no device ops: {PERHAPS}"),
        (("Launch", "Launch", "Wait"), f"3 calls of a runtime (Launch, Wait) but no device ops: {PERHAPS}"),
        (("cudaGetDeviceCount", "cuInit", "hipInit", "zeInit", "musaGetDevice", "deviceSynchronize"), None),
    ],
)
def test_calls_of_a_runtime_that_nobody_knows_may_have_launched_work(calls: tuple[str, ...], said: str | None) -> None:
    events = [call(name, 12 + 2 * at, 1, at + 1) | {"cat": "privateuse1_runtime"} for at, name in enumerate(calls)]
    found = _warnings(*PRODUCT, *events)
    assert found == (([], True) if said is None else ([said], False))


def test_where_the_profiler_of_xpus_was_on_and_saw_nothing_it_is_said() -> None:
    on = capture(0, 90) | {"name": "__xpu_profiler__ (0)", "tid": "__xpu_profiler__"}
    summary = summarize(trace_of(*PRODUCT, capture(0, 90), on))
    assert summary.trace.warnings == [f"the profiler of XPUs was on but no device ops: {PERHAPS}"]
    assert "no device work was recorded: charged by operator self time" in render(summary)
    assert _warnings(*PRODUCT, capture(0, 90)) == ([], True)


def test_device_ops_without_usable_times_are_no_run_on_a_cpu() -> None:
    untimed = {"ph": "X", "cat": "kernel", "name": "gemm", "dur": 5}
    summary = summarize(trace_of(*PRODUCT, untimed, untimed))
    assert summary.trace.warnings[-1].startswith("none of its 2 device ops has a usable time; times are the host's")
    assert "no device work in this trace" not in render(summary)
    assert len(summarize(trace_of(*PRODUCT, untimed, kernel("gemm", 5, 5))).trace.warnings) == 1


def test_a_recording_of_ours_says_what_it_ran_on() -> None:
    manifest = as_metadata([latencies()], device={"type": "cuda", "name": "NVIDIA H200"})
    found = _warnings(span("tracer/prefill", 0, 90), operator("aten::mm", 10, 50), tracer=manifest)
    assert found == ([f"a run on NVIDIA H200 but no device ops: {ALONE}"], False)
    on_cpu = as_metadata([latencies()], device={"type": "cpu", "name": "x86"})
    assert _warnings(*PRODUCT, tracer=on_cpu) == ([], True)


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("nccl:all_to_all", True),
        ("aten::cudnn_convolution", True),
        ("aten::miopen_batch_norm", True),
        ("aten::_scaled_dot_product_efficient_attention", True),
        ("aten::_scaled_dot_product_flash_attention", False),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", False),
        ("npu::npu_fusion_attention", True),
        ("hpu::cast_to_fp8_v2", True),
        ("hccl:all_reduce", True),
        ("aten::_mps_convolution", True),
        ("aten::npu_like", False),
        ("aten::pin_memory", False),
        ("gloo:all_reduce", False),
        ("aten::mm", False),
    ],
)
def test_what_only_a_gpu_runs(name: str, *, needs: bool) -> None:
    assert needs_device(name) is needs


def test_a_job_recorded_by_its_host_alone_gets_no_rates(data: Path) -> None:
    summary = summarize_file(data / "kineto_rank_non_gpu.json.gz", Choices(shapes=True))
    (warning,) = summary.trace.warnings
    assert warning == f"48 operators of a device (aten::record_stream) but no device ops: {ALONE}"
    assert summary.roofline is None
    assert "TFLOP/s" not in render(summary)


def test_a_real_run_on_a_cpu_is_left_in_peace(data: Path) -> None:
    assert summarize_file(data / "kineto_cpu_only.json.gz").trace.warnings == []


def test_of_a_file_with_nothing_but_ranges_the_stages_are_unknown_and_their_time_on_the_host_is_not() -> None:
    summary = summarize(trace_of(span("tracer/prefill", 0, 50), span("tracer/decode#1", 60, 20)))
    for row in (*summary.stages, *summary.tokens):
        assert (row.device_time_ns, row.busy_ns, row.idle_ns, row.counts.kernels) == (None, None, None, None)
    assert [stage.cpu_ns for stage in summary.stages] == [50_000, 20_000]
    assert [(time.busy_ns, time.step_ns, time.left_out) for time in summary.budget] == [
        (None, 50_000, 0),
        (None, 20_000, 0),
    ]
    assert "time on the host 20.0 µs" in render(summary)


def test_a_stage_in_which_no_operator_ran_has_none_where_others_have() -> None:
    summary = summarize(
        trace_of(span("tracer/prefill", 0, 50), operator("aten::mm", 1, 5), span("tracer/decode#1", 60, 20))
    )
    assert [stage.device_time_ns for stage in summary.stages] == [5_000, 0]
    assert UNWORKED not in [one.what for one in summary.abstained]

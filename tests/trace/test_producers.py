"""Who wrote a Chrome trace in a form that is not read, and that nobody else is taken for them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.chrome import document, kernel, launch, operator, read_bytes, span

from tracer.compare.gates import check_budgets, parse_budget
from tracer.compare.pairs import compare
from tracer.document.errors import InputError
from tracer.document.summary import UNREAD
from tracer.predict.whatif import Changes, predict
from tracer.summarize import Choices, summarize, summarize_file
from tracer.trace.columns import Trace


def _process(name: str, label: str = "name") -> dict[str, Any]:
    return {"ph": "M", "pid": 1, "tid": 0, "name": "process_name", "args": {label: name}}


def _plain(name: str, **more: Any) -> dict[str, Any]:
    return {"ph": "X", "pid": 1, "tid": 1, "ts": 100.5, "dur": 30, "name": name, **more}


def _read(*events: dict[str, Any]) -> Trace:
    return read_bytes(json.dumps({"displayTimeUnit": "ns", "traceEvents": list(events)}).encode())


XLA = (_process("/device:GPU:0"), _plain("loop_fusion", args={"hlo_op": "f", "hlo_module": "jit_f"}))


@pytest.mark.parametrize(
    ("events", "producer"),
    [
        (XLA, "XLA's profiler"),
        ((_process("/device:TPU:0"), _plain("fusion.1")), "XLA's profiler"),
        ((_process("/job:localhost/replica:0/task:0/device:GPU:0 Compute"), _plain("m", cat="Op")), "TensorFlow"),
        ((_process("CANN"), _plain("AscendCL@aclopCompileAndExecute")), "Ascend"),
        ((_process("NPU", "labels"), operator("aten::mm", 1, 5), _plain("MatMulV3")), "Ascend"),
        ((operator("zeCommandListAppend", 1, 5), _plain("gemm", cat="gpu_op")), "unitrace"),
        ((_plain("model_loading_uri", cat="Session"), _plain("a_kernel_time", cat="Node")), "ONNX Runtime"),
        ((_plain("aclnnMatmul", args={"Task Type": "AI_CORE", "Stream Id": 2}),), "Ascend"),
        ((_plain("fusion.12"), _plain("PjitFunction(step)")), "XLA's profiler"),
        (
            (_plain("k", cat="Kernel", args={"stream": "7"}), _plain("SequentialExecutor", cat="Session")),
            "ONNX Runtime",
        ),
        ((_plain("gemm", args={"dev-id": "0", "BeginNs": "1", "EndNs": "2"}),), "rocprof"),
        ((_process("Ascend Hardware [0]"), _plain("MatMulV3")), "Ascend"),
        ((_process("NPU 3"), _plain("MatMulV3")), "Ascend"),
        ((_process("MindSpore Cpp"), _plain("Default/MatMul-op1")), "MindSpore"),
        ((_plain("g", cat="Kernel", args={"device": 0, "stream": 7}), _plain("x", cat="CudaRuntime")), "Paddle"),
        ((_plain("main (a.py:1)", cat="FEE"),), "viztracer"),
        ((_plain("Total ExecuteCompiler"),), "clang"),
        (({"name": "conv1", "timeMs": 3.2, "averageMs": 0.03},), "trtexec"),
        ((_plain("MatMul", args={"Task Type": "KERNEL_AICORE"}),), "Ascend"),
        ((_plain("Mul", args={"Task Type": "OTHER", "Physic Stream Id": 3}),), "Ascend"),
        ((_plain("TfrtCpuExecutable::Execute"),), "XLA's profiler"),
        ((_plain("gemm", cat="cuda", tid="Stream 7"), _plain("x", cat="nvtx", tid="NVTX 5")), "nsys2json"),
        ((_plain("gemm"), {"ph": "s", "cat": "api_op", "name": "api_op", "id": "1", "ts": "1"}), "rocmProfileData"),
    ],
    ids=[
        "jax",
        "tpu",
        "timeline",
        "cann",
        "npu",
        "unitrace",
        "onnx",
        "npu tasks",
        "jax unnamed",
        "onnx gpu",
        "rocprof",
        "npu numbered",
        "npu by number",
        "mindspore",
        "paddle",
        "viztracer",
        "clang",
        "trtexec",
        "msprof",
        "msprof stream",
        "jax bare",
        "nsys2json",
        "rpd",
    ],
)
def test_a_producer_is_told_by_what_it_calls_its_processes_and_categories(
    events: tuple[dict[str, Any], ...], producer: str
) -> None:
    trace = _read(*events)
    assert trace.unread is not None
    assert producer in trace.unread.producer
    assert (len(trace.ops), len(trace.cpu_ops), len(trace.ranges)) == (0, 0, 0)


def test_kernels_of_onnx_runtime_have_no_device_and_overlap_nothing() -> None:
    events = [_plain("model_run", cat="Session")]
    for number in range(2):
        events.append(_plain("k", cat="Kernel", args={"stream": "7", "block_x": "128", "correlation_id": str(number)}))
    events.append(_plain("n_kernel_time", cat="Node", args={"provider": "CUDAExecutionProvider", "op_name": "MatMul"}))
    trace = read_bytes(json.dumps(events).encode())
    assert trace.unread is not None
    assert trace.unread.producer == "ONNX Runtime"
    assert summarize(trace).findings == []


def test_kernels_of_2021_have_the_category_of_onnx_runtimes_and_are_read() -> None:
    old = [launch(1, 1, 1) | {"cat": "Runtime"}, kernel("k", 5, 2, 1, cat="Kernel")]
    trace = read_bytes(json.dumps(old).encode())
    assert (trace.unread, len(trace.ops)) == (None, 1)


@pytest.mark.parametrize(
    "name",
    [
        "Ascend Hardware",
        "MindSpore",
        "CudaRuntime",
        "beginningOfTime",
        "/device:GPU:0",
        "CPU functions",
        '"args": {"name": "CANN"}',
        "cpu_to_cuda",
    ],
)
def test_a_name_in_a_trace_of_torch_makes_it_no_other_producers(name: str) -> None:
    for events in (
        [span(name, 0, 9), operator(name, 1, 5)],
        [span(name, 0, 9), launch(1, 1, 1), kernel(name, 3, 4, 1)],
    ):
        assert read_bytes(document(*events)).unread is None
        assert read_bytes(json.dumps(events).encode()).unread is None


@pytest.mark.parametrize("name", ["gcu_kernel", "foo_runtime", "bar_driver", "foo_memcpy", "privateuse1", "aiu"])
def test_categories_that_nobody_knows_and_sound_like_a_device_make_no_cpu_run(name: str) -> None:
    trace = read_bytes(document(operator("aten::mm", 1, 5), _plain("k", cat=name)))
    assert trace.unread is not None
    assert name in trace.unread.reason


def test_paddlepaddles_profiler_writes_the_metadata_of_torchs_and_is_named() -> None:
    asked = _plain("cudaLaunchKernel[5 us]", cat="CudaRuntime", args={"correlation id": 5})
    ran = _plain("gemm[30 us]", cat="Kernel", pid=0, tid=7, args={"device": 0, "stream": 7, "correlation id": 5})
    properties = [{"id": 0, "name": "NVIDIA A100"}]
    trace = read_bytes(document(asked, ran, schemaVersion="1.0.2", span_indx="1", deviceProperties=properties))
    assert trace.unread is not None
    assert "Paddle" in trace.unread.producer


def test_a_schedule_of_which_no_step_was_active_leaves_a_file_that_is_just_empty() -> None:
    trace = read_bytes(document(_process("python"), deviceProperties=[{"id": 0, "name": "NVIDIA H100"}]))
    assert (trace.unread, len(trace.ops)) == (None, 0)


def test_categories_of_kineto_that_are_no_work_leave_a_cpu_run_one() -> None:
    names = ("cuda_sync", "gpu_user_Annotation", "overhead", "fwdbwd", "news", "input", "output")
    others = [_plain("a", cat=name) for name in names]
    trace = read_bytes(document(operator("aten::mm", 1, 5), *others))
    assert (trace.unread, len(trace.cpu_ops)) == (None, 1)


def test_a_file_without_any_known_category_says_which_it_has() -> None:
    trace = _read(_plain("a", cat="blink"), _plain("b", cat="devtools.timeline"))
    assert trace.unread is not None
    assert "none of its 2 events is of a category that tracer reads (they have blink" in trace.unread.reason


def test_a_file_without_events_is_just_empty() -> None:
    assert _read().unread is None


def test_nothing_is_compared_predicted_or_charged_of_what_is_not_read() -> None:
    summary = summarize(_read(*XLA))
    assert [one.what for one in summary.abstained] == [UNREAD]
    assert (summary.device.time_ns, summary.stages, summary.findings) == (0, [], [])
    (gate,) = check_budgets(summary, [parse_budget("decode<=1ms")])
    assert (gate.value, gate.passed) == (None, False)
    assert "written by XLA" in gate.reason
    with pytest.raises(InputError, match=r"its work is not read: written by XLA"):
        compare([summary, summary])
    with pytest.raises(InputError, match=r"its work is not read: written by XLA"):
        predict(summary, Changes(stages={"decode": 0.5}))


def test_a_file_is_searched_for_its_producer_across_blocks(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracer.trace.source as source

    monkeypatch.setattr(source, "BLOCK_BYTES", 41)
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({"traceEvents": [*XLA]}))
    (abstained,) = summarize_file(path, Choices()).abstained
    assert "XLA" in abstained.reason

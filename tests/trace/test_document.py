from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from support.chrome import MAIN, capture, document, kernel, launch, operator, read_bytes, span, trace_of

from tracer.document.errors import InputError
from tracer.trace.columns import NO_CORRELATION, OpKind, Want
from tracer.trace.reader import read_trace


def test_an_op_keeps_all_its_columns() -> None:
    trace = trace_of(
        kernel("gemm", 10.5, 2.25, 3, device=1, stream=20),
        kernel("Memcpy DtoH", 20, 1, 4, cat="gpu_memcpy", args={"bytes": 4096}),
    )
    ops = trace.ops
    assert ops.start_ns.tolist() == [10_500, 20_000]
    assert ops.end_ns.tolist() == [12_750, 21_000]
    assert [trace.strings[name] for name in ops.name] == ["gemm", "Memcpy DtoH"]
    assert ops.kind.tolist() == [OpKind.KERNEL, OpKind.MEMCPY]
    assert ops.device.tolist() == [1, 0]
    assert ops.stream.tolist() == [20, 7]
    assert ops.correlation.tolist() == [3, 4]
    assert ops.size_bytes.tolist() == [0, 4096]


def test_only_what_is_wanted_is_kept() -> None:
    data = document(kernel("k", 0, 1, 1), launch(0, 1, 1), span("s", 0, 1), operator("aten::mm", 0, 1))
    for want, lengths in [
        (Want.OPS, (1, 0, 0, 0)),
        (Want.CALLS, (0, 1, 0, 0)),
        (Want.RANGES, (0, 0, 1, 0)),
        (Want.CPU_OPS, (0, 0, 0, 1)),
    ]:
        trace = read_bytes(data, want)
        assert (len(trace.ops), len(trace.calls), len(trace.ranges), len(trace.cpu_ops)) == lengths
        assert trace.events == 4


def test_correlation_may_be_text_and_may_be_missing() -> None:
    trace = trace_of(
        kernel("a", 0, 1, args={"correlation": "17"}),
        kernel("b", 1, 1),
        kernel("c", 2, 1, 0),
        kernel("d", 3, 1, args={"correlation": "x"}),
    )
    assert trace.ops.correlation.tolist() == [17, *[NO_CORRELATION] * 3]


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("kernel", OpKind.KERNEL),
        ("gpu_memcpy", OpKind.MEMCPY),
        ("gpu_memset", OpKind.MEMSET),
        ("Kernel", OpKind.KERNEL),
        ("Memcpy", OpKind.MEMCPY),
        ("Memset", OpKind.MEMSET),
    ],
)
def test_work_on_a_device_goes_by_todays_names_and_those_before_2022(category: str, kind: OpKind) -> None:
    assert trace_of(kernel("k", 0, 1, 1, cat=category)).ops.kind.tolist() == [kind]


@pytest.mark.parametrize(
    "category",
    [
        "gpu_user_annotation",
        "cuda_sync",
        "overhead",
        "Trace",
        "mtia_insight",
        "xpu_sync",
        "python_function",
        "fwdbwd",
        "news",
        "",
    ],
)
def test_other_categories_are_no_work(category: str) -> None:
    trace = trace_of(kernel("k", 0, 1, 1), {**kernel("other", 5, 1, 2), "cat": category})
    assert (len(trace.ops), len(trace.calls), len(trace.ranges), trace.warnings) == (1, 0, 0, [])
    assert trace.events == 2


LAUNCHES = """
    cudaLaunchKernel cudaLaunchKernelExC cudaLaunchCooperativeKernel cuLaunchKernel cuLaunchKernelEx cudaGraphLaunch
    hipLaunchKernel hipExtLaunchKernel hipModuleLaunchKernel hipExtModuleLaunchKernel hipGraphLaunch
    cudaMemcpyAsync cudaMemsetAsync hipMemcpyWithStream hipMemcpyAsync hipMemsetAsync cuMemcpyHtoDAsync_v2
    cudaStreamSynchronize cudaDeviceSynchronize hipEventSynchronize
""".split()


@pytest.mark.parametrize("category", ["cuda_runtime", "cuda_driver", "Runtime"])
@pytest.mark.parametrize("name", LAUNCHES)
def test_calls_that_launch_or_wait_are_kept(name: str, category: str) -> None:
    data = document({**launch(1, 1, 7), "name": name, "cat": category})
    for written in (data, json.dumps(json.loads(data), indent=2).encode()):
        assert read_bytes(written).calls.correlation.tolist() == [7]


def test_old_categories_and_stream_names_are_understood() -> None:
    event = {"ph": "X", "cat": "Kernel", "name": "k", "ts": 1, "dur": 1, "pid": 0, "tid": "stream 7"}
    trace = trace_of(event)
    assert (trace.ops.device[0], trace.ops.stream[0]) == (0, 7)


def test_thread_ids_as_number_and_text_are_one_thread() -> None:
    one, other = span("a", 0, 1), {**span("b", 1, 1), "pid": "100", "tid": str(MAIN)}
    trace = trace_of(one, other)
    assert trace.ranges.thread.tolist() == [0, 0]
    assert trace.threads == [("100", "1")]


def test_gpu_annotations_are_never_work() -> None:
    trace = trace_of({**kernel("step", 0, 100), "cat": "gpu_user_annotation"})
    assert len(trace.ops) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ts": "nan"}, "no usable timestamp"),
        ({"ts": None}, "no usable timestamp"),
        ({"dur": -1}, "negative duration"),
        ({"dur": "abc"}, "no usable duration"),
        ({"dur": 1e13}, "duration of more than three months"),
    ],
)
def test_a_bad_event_is_counted_and_costs_no_other(change: dict[str, object], reason: str) -> None:
    trace = trace_of(kernel("good", 0, 1, 1), {**kernel("bad", 1, 1, 2), **change})
    assert [trace.strings[name] for name in trace.ops.name] == ["good"]
    assert trace.warnings == [f"1 device op left out (bad): {reason}"]


def test_captures_are_joined_where_they_overlap() -> None:
    trace = trace_of(capture(0, 10), capture(5, 10), capture(30, 5))
    assert trace.captures.tolist() == [0, 30_000]


def test_a_bare_list_of_events_is_a_trace() -> None:
    trace = read_bytes(json.dumps([kernel("k", 0, 1, 1)]).encode())
    assert len(trace.ops) == 1


def test_devices_and_producer_come_from_the_metadata() -> None:
    trace = trace_of(kernel("k", 0, 1), deviceProperties=[{"id": 0, "name": "NVIDIA X"}], cuda_runtime_version=12090)
    assert trace.devices[0].name == "NVIDIA X"
    assert trace.producer == "torch.profiler (CUDA 12.9)"


@pytest.mark.parametrize("version", ["1e400", "9" * 5000, '"12"', "[12]", "null", "1.5", '"\xff"'])
def test_a_version_that_is_none_is_left_unknown(version: str) -> None:
    data = document(kernel("k", 0, 1), cuda_runtime_version=0).replace(
        b'version": 0', f'version": {version}'.encode("latin-1")
    )
    trace = read_bytes(data)
    assert (trace.producer, len(trace.ops)) == ("torch.profiler (CUDA ?)", 1)


@pytest.mark.parametrize("manifest", ['{"schema": "\xff"}', '{"schema": 1e400}', "[" * 3000 + "]" * 3000, "3"])
def test_a_damaged_manifest_is_ignored_with_a_warning(manifest: str) -> None:
    data = document(kernel("k", 0, 1), tracer=0).replace(b'tracer": 0', f'tracer": {manifest}'.encode("latin-1"))
    trace = read_bytes(data)
    assert trace.manifest is None
    assert len(trace.ops) == 1


def test_a_foreign_manifest_is_ignored_with_a_warning() -> None:
    trace = trace_of(kernel("k", 0, 1), tracer={"schema": "tracer.manifest/99"})
    assert trace.manifest is None
    assert "manifest" in trace.warnings[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"hello", "not a trace"),
        (b"{", "not JSON"),
        (b'{"traceEvents": [', "not JSON"),
        (b'{"a": 1}', "not a Chrome trace"),
        (b'{"traceEvents": 3}', "not a Chrome trace"),
        (b"[1, 2]", "not a Chrome trace"),
        (gzip.compress(b'{"traceEvents": []}', mtime=0)[:11], "damaged (it breaks off)"),
        (b"\x1f\x8b nonsense", "damaged ("),
        (b"[" * 100_000, ""),
        (b'{"traceEvents": ' + b"[" * 100_000, ""),
    ],
)
def test_what_is_no_trace_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_trace(path, Want.SUMMARY)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_trace(tmp_path / "none.json", Want.SUMMARY)
    with pytest.raises(InputError, match="directory"):
        read_trace(tmp_path, Want.SUMMARY)


def test_gzip_and_plain_give_the_same(tmp_path: Path) -> None:
    data = document(kernel("k", 0, 1, 1), launch(0, 1, 1))
    plain, packed = tmp_path / "a", tmp_path / "b"
    plain.write_bytes(data)
    packed.write_bytes(gzip.compress(data))
    one, two = read_trace(plain, Want.SUMMARY), read_trace(packed, Want.SUMMARY)
    assert one.ops.start_ns.tolist() == two.ops.start_ns.tolist()

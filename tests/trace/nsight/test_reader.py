"""Nsight Systems exports, row by row."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from support.columns import spelled_out
from support.nsight import OTHER, PID, Export, global_tid

from tracer.charge.launches import find_launches
from tracer.document.errors import InputError
from tracer.kernels.categories import by_category
from tracer.summarize import summarize
from tracer.trace.columns import NO_CORRELATION, Device, OpKind, Trace, Want
from tracer.trace.nsight.database import CHUNK_ROWS
from tracer.trace.nsight.names import DIRECTIONS
from tracer.trace.reader import read_trace


def _names(trace: Trace) -> list[str]:
    return [trace.strings[number] for number in trace.ops.name.tolist()]


def _launches(trace: Trace) -> list[str]:
    """For each op, when its launch began."""
    return [str(trace.calls.start_ns[call]) if call >= 0 else "none" for call in find_launches(trace).tolist()]


def _stages(trace: Trace) -> dict[str, tuple[int, int]]:
    return {row.stage: (row.ops, row.device_time_ns) for row in summarize(trace).stages}


def test_ops_calls_and_ranges_become_columns() -> None:
    export = Export().span("tracer/vision", 0, 100).call(10, 20, 1).call(30, 31, 2, "cudaMemcpyAsync_v3020", OTHER)
    trace = export.kernel("gemm", 15, 40, 1).copy(40, 50, 2).fill(50, 51, 9).trace()
    assert spelled_out(trace) == {
        "op names": ["gemm", "Memcpy HtoD (Pageable -> Device)", "Memset (Device)"],
        "op start_ns": [15, 40, 50],
        "op end_ns": [40, 50, 51],
        "op kind": [OpKind.KERNEL, OpKind.MEMCPY, OpKind.MEMSET],
        "op device": [0, 0, 0],
        "op stream": [7, 7, 7],
        "op correlation": [1, 2, 9],
        "op size_bytes": [0, 64, 8],
        "call names": ["cudaLaunchKernel", "cudaMemcpyAsync"],
        "call threads": [("100", "100"), ("100", "101")],
        "call start_ns": [10, 30],
        "call end_ns": [20, 31],
        "call correlation": [1, 2],
        "range names": ["tracer/vision"],
        "range threads": [("100", "100")],
        "range start": [0],
        "range end": [100],
        "cpu op names": [], "cpu op threads": [], "cpu op start": [], "cpu op end": [],
        "captures": [],
        "devices": [(0, "")],
        "events": [6],
    }  # fmt: skip
    assert (trace.format, trace.producer, trace.warnings) == ("nsight", "Nsight Systems 2023.4.4.54", [])


def test_a_stage_gets_what_was_launched_in_it() -> None:
    export = Export().span("tracer/prefill", 0, 100).span("tracer/decode#1", 100, 200)
    export.call(90, 95, 1).call(150, 155, 2).kernel("gemm", 120, 190, 1).kernel("gemv", 190, 230, 2)
    assert _stages(export.trace()) == {"prefill": (1, 70), "decode": (1, 40)}


def test_a_correlation_counts_within_its_process() -> None:
    export = Export().span("tracer/prefill", 0, 100).span("tracer/vision", 0, 100, thread=7, pid=200)
    export.call(10, 11, 1).call(20, 21, 1, thread=7, pid=200)
    export.kernel("mine", 30, 40, 1).kernel("theirs", 30, 35, 1, pid=200, deviceId=1)
    trace = export.trace()
    assert _launches(trace) == ["10", "20"]
    assert _stages(trace) == {"prefill": (1, 10), "vision": (1, 5)}


def test_an_op_without_a_process_belongs_to_the_only_one() -> None:
    assert _launches(Export().call(10, 11, 1).kernel("k", 20, 30, 1, globalPid=None).trace()) == ["10"]
    two = Export().call(10, 11, 1).call(10, 11, 2, pid=200).kernel("k", 20, 30, 1, globalPid=None)
    assert _launches(two.trace()) == ["none"]


def test_streams_of_other_contexts_are_other_streams() -> None:
    export = Export().kernel("a", 0, 10, 1).kernel("b", 0, 10, 2, contextId=2).kernel("c", 0, 10, 3, pid=200)
    trace = export.kernel("d", 10, 20, 4).kernel("e", 0, 10, 5, deviceId=1).trace()
    a, b, c, d, e = trace.ops.stream.tolist()
    assert (a, d, e) == (7, 7, 7)
    assert len({a, b, c}) == 3


def test_a_whole_graph_is_one_busy_op() -> None:
    export = Export().span("tracer/decode#1", 0, 100).call(10, 20, 1, "cudaGraphLaunch_v10000").graph(20, 90, 1)
    trace = export.trace()
    summary = summarize(trace)
    assert [kernel.name for kernel in summary.stages[0].kernels] == ["CUDA graph 3"]
    assert (summary.device.busy_ns, summary.device.idle_ns) == (70, 0)
    assert trace.warnings == ["1 CUDA graph is one op each; nsys profile --cuda-graph-trace=node records their kernels"]


def test_kernels_of_one_graph_launch_share_it() -> None:
    export = Export().span("tracer/decode#1", 0, 100).call(10, 20, 1, "cudaGraphLaunch_v10000")
    trace = export.kernel("a", 20, 30, 1, graphNodeId=5).kernel("b", 30, 50, 1, graphNodeId=6).trace()
    assert _stages(trace) == {"decode": (2, 30)}


def test_start_end_ranges_are_listed_and_hold_nothing() -> None:
    export = Export().nvtx(60, 0, 100, "tracer/vision", endGlobalTid=global_tid(OTHER)).nvtx(60, 0, 50, "mine")
    summary = summarize(export.call(10, 20, 1).kernel("k", 20, 30, 1).trace())
    assert summary.stages == []
    assert {(row.name, row.style, row.ops) for row in summary.ranges} == {
        ("tracer/vision", "start_end", 0),
        ("mine", "start_end", 0),
    }
    assert summary.trace.warnings == ["2 start/end ranges are listed, but hold nothing: they may end on any thread"]


def test_names_are_texts_or_strings_and_carry_their_domain() -> None:
    export = Export().nvtx(75, 0, None, "tracer", domainId=1).nvtx(75, 0, None, "NCCL", domainId=2)
    export.nvtx(59, 1, 2, None, textId=export.string("tracer/vision"), domainId=1)
    export.nvtx(59, 3, 4, None, textId=export.string("AllReduce"), domainId=2)
    export.span("plain", 5, 6)
    assert spelled_out(export.trace())["range names"] == ["tracer/vision", "NCCL:AllReduce", "plain"]


def test_a_range_without_an_end_runs_to_the_end_of_the_trace() -> None:
    trace = Export().span("tracer/vision", 10, None).call(20, 30, 1).kernel("k", 40, 70, 1).trace()
    assert (trace.ranges.start_ns.tolist(), trace.ranges.end_ns.tolist()) == ([10], [70])
    assert trace.warnings == ["1 range has no end and was taken to run to the end of the trace"]


def test_rows_with_impossible_times_are_left_out() -> None:
    export = Export().kernel("good", 10, 20).kernel("backwards", 30, 20).kernel("endless", 0, 1 << 62)
    trace = export.kernel("before time", -5, 20).kernel("text", "soon", None).trace()  # type: ignore[arg-type]
    assert _names(trace) == ["good", "before time"]
    assert trace.warnings == ["3 events left out: times that cannot be"]


def test_what_ran_before_the_session_began_keeps_its_times_and_its_launch() -> None:
    export = Export().span("tracer/prefill", -4000, 4000).call(-3000, -2990, 1).kernel("k", -2000, -1, 1)
    trace = export.call(-1, 5, 2).kernel("l", 0, 30, 2).trace()
    assert (trace.ops.start_ns.tolist(), trace.ops.end_ns.tolist()) == ([-2000, 0], [-1, 30])
    assert _launches(trace) == ["-3000", "-1"]
    assert trace.warnings == []


def test_kernels_that_have_no_time_are_left_out_and_named() -> None:
    export = Export().call(1000, 1010, 1).kernel("k", 1100, 1200, 1).call(2000, 2010, 2).kernel("lost", 0, 0, 2)
    trace = export.trace()
    assert _names(trace) == ["k"]
    assert [warning.startswith("1 device op left out (lost): no usable time") for warning in trace.warnings] == [True]


def test_gpus_are_named_by_the_process_that_numbers_them() -> None:
    export = Export().kernel("a", 0, 1).kernel("b", 0, 1, pid=200)
    for gpu, name in ((4, "H100"), (5, "H200")):
        export.row("TARGET_INFO_GPU", id=gpu, name=name, memoryBandwidth=gpu * 10**12, smCount=132)
    export.row("TARGET_INFO_CUDA_DEVICE", gpuId=4, cudaId=0, pid=PID).row(
        "TARGET_INFO_CUDA_DEVICE", gpuId=5, cudaId=0, pid=200
    )
    trace = export.trace()
    assert trace.ops.device.tolist() == [4, 5]
    assert trace.devices == [Device(4, "H100", 4 * 10**12, 132), Device(5, "H200", 5 * 10**12, 132)]


def test_without_that_table_the_ordinal_names_the_gpu() -> None:
    export = Export().kernel("a", 0, 1, deviceId=1).row("TARGET_INFO_GPU", id=0, name="L4", cuDevice=1)
    trace = export.trace()
    assert (trace.ops.device.tolist(), trace.devices) == ([0], [Device(0, "L4")])


def test_what_nsys_itself_took_is_said_where_it_matters() -> None:
    export = Export().kernel("a", 1_000_000, 2_000_000).kernel("b", 9_000_000, 11_000_000)
    export.row("PROFILER_OVERHEAD", start=0, end=1_500_000).row("PROFILER_OVERHEAD", start=20_000_000, end=30_000_000)
    said = "nsys itself worked for 0.5 ms while the device ops ran (1 time): some idle is its"
    assert export.trace().warnings == [said]
    short = Export().kernel("a", 1_000_000, 2_000_000).row("PROFILER_OVERHEAD", start=1_500_000, end=1_500_900)
    assert short.trace().warnings == []


def test_columns_that_a_version_lacks_are_missing() -> None:
    export = (
        Export().row("CUPTI_ACTIVITY_KIND_KERNEL", start=1, end=2).row("CUPTI_ACTIVITY_KIND_RUNTIME", start=0, end=1)
    )
    export.row("NVTX_EVENTS", start=0, end=9, eventType=59).string("something")
    trace = export.trace()
    assert (_names(trace), trace.ops.correlation.tolist()) == (["unknown"], [NO_CORRELATION])
    assert [trace.strings[name] for name in trace.ranges.name.tolist()] == [""]


@pytest.mark.parametrize("rows", [CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 3 * CHUNK_ROWS + 17])
def test_every_number_of_processes_reads_the_same(tmp_path: Path, rows: int) -> None:
    export = Export()
    for number in range(1, rows + 1):
        export.kernel("k", 10 * number, 10 * number + 5, number).call(10 * number - 3, 10 * number - 1, number)
    path = export.write(tmp_path / "many.sqlite")
    one = read_trace(path, Want.SUMMARY, jobs=1)
    assert one.ops.start_ns.tolist() == list(range(10, 10 * rows + 1, 10))
    for jobs in (2, 3):
        assert spelled_out(read_trace(path, Want.SUMMARY, jobs=jobs)) == spelled_out(one)


def test_rows_numbered_with_wide_gaps_are_read(tmp_path: Path) -> None:
    path = Export().kernel("a", 1, 2).kernel("b", 3, 4).write(tmp_path / "gaps.sqlite")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET rowid = 9223372036854775807 WHERE start = 3")
    connection.close()
    for jobs in (1, 2):
        assert _names(read_trace(path, Want.SUMMARY, jobs=jobs)) == ["a", "b"]


def _refusal(path: Path) -> str:
    with pytest.raises(InputError) as refused:
        read_trace(path, Want.SUMMARY)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (name)")
    connection.close()
    assert "no export of Nsight Systems" in _refusal(path)


def test_a_view_in_place_of_a_table_is_not_run(tmp_path: Path) -> None:
    path = Export().kernel("a", 1, 2).write(tmp_path / "view.sqlite")
    with sqlite3.connect(path) as connection:
        forever = "WITH RECURSIVE n(start) AS (SELECT 1 UNION ALL SELECT start + 1 FROM n) SELECT * FROM n"
        connection.execute(f"CREATE VIEW CUPTI_ACTIVITY_KIND_RUNTIME AS {forever}")
    connection.close()
    assert len(read_trace(path, Want.SUMMARY).calls) == 0


def test_a_database_that_is_being_written_is_refused(tmp_path: Path) -> None:
    path = Export().kernel("a", 1, 2).write(tmp_path / "busy.sqlite")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    assert "another program is writing it" in _refusal(path)
    writer.execute("COMMIT")
    assert len(read_trace(path, Want.SUMMARY).ops) == 1
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE more (x)")
    assert "another program is writing it" in _refusal(path)
    writer.close()
    before = sorted(tmp_path.iterdir())
    assert len(read_trace(path, Want.SUMMARY).ops) == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kept", [16, 100, 512, 4096, 5000, 20_000, 40_000])
def test_a_torn_database_is_refused(tmp_path: Path, data: Path, kept: int) -> None:
    path = tmp_path / "torn.sqlite"
    path.write_bytes((data / "nsight_synthetic_mock.sqlite").read_bytes()[:kept])
    assert "damaged" in _refusal(path)


def test_a_scribbled_database_is_refused_or_read(tmp_path: Path, data: Path) -> None:
    whole = (data / "nsight_synthetic_mock.sqlite").read_bytes()
    for page in range(len(whole) // 4096):
        path = tmp_path / f"page{page}.sqlite"
        path.write_bytes(whole[: 4096 * page + 100] + b"\xff" * 3996 + whole[4096 * (page + 1) :])
        try:
            summarize(read_trace(path, Want.SUMMARY))
        except InputError as error:
            assert str(error).startswith(str(path))


def test_a_path_with_odd_characters_is_a_path(tmp_path: Path, data: Path) -> None:
    path = Path(shutil.copy(data / "nsight_cpu_nvtx.sqlite", tmp_path / "odd name?#%.sqlite"))
    trace = read_trace(path, Want.SUMMARY)
    assert trace.threads[0][0].isdecimal()
    assert {trace.strings[name] for name in trace.ranges.name.tolist()} >= {"tracer/request#0", "tracer/vision"}


def test_migrations_of_managed_memory_are_copies_in_their_direction() -> None:
    export = Export()
    for number, kind in enumerate((11, 12, 13)):
        export.copy(10 * number, 10 * number + 5, copyKind=kind, srcKind=4, dstKind=4, bytes=1 << kind)
    trace = export.span("tracer/prefill", 0, 99).trace()
    assert _names(trace) == [f"Memcpy Unified {way} (Managed -> Managed)" for way in ("HtoD", "DtoH", "DtoD")]
    assert summarize(trace).device.time_ns == 15
    rows = by_category((name, 5) for name in _names(trace))
    assert rows == {"copy": 15}


def test_every_direction_that_a_real_export_numbers_has_a_name(nsight_export: Path) -> None:
    labels = _directions(nsight_export)
    if not labels:
        pytest.skip("this export does not say how it numbers copies")
    for number, label in labels.items():
        words = label.replace("Host", "H").replace("Device", "D").replace("Array", "A").replace("Peer", "P")
        assert DIRECTIONS.get(number, "Unknown") == words.replace("-to-", "to")


def _directions(path: Path) -> dict[int, str]:
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT id, label FROM ENUM_CUDA_MEMCPY_OPER").fetchall())
    except sqlite3.OperationalError:
        return {}
    finally:
        connection.close()

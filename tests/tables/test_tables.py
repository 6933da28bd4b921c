"""Tables say what the summary says, row for row, of every trace; the documentation says what their columns mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from support.chrome import document, kernel, launch, operator, span, trace_of
from support.rounds import rounds
from support.strategies import gpu_traces

from tracer.choices import Choices
from tracer.summarize import Charged, charge, summarize_charged
from tracer.tables.documentation import page
from tracer.tables.table import tables
from tracer.trace.columns import Trace

pa = pytest.importorskip("pyarrow", reason="pip install '.[tables]'")

from tracer.loaded import ARROW, load  # noqa: E402
from tracer.tables.arrow import arrow_tables  # noqa: E402

ROOT = Path(__file__).parents[2]


def _tables(trace: Trace) -> dict[str, Any]:
    charged = charge(trace, Choices())
    return arrow_tables(charged, summarize_charged(charged, Choices()))


def _check(found: dict[str, Any], charged: Charged | None = None) -> None:
    for name, table in tables().items():
        rows = found[name]
        assert rows.column_names == [column.name for column in table.columns]
        keys = list(zip(*(rows[key].to_pylist() for key in table.key), strict=True))
        assert len(set(keys)) == len(keys), f"{name}: rows with one key"
    calls = set(found["calls"]["call"].to_pylist())
    assert {call for call in found["ops"]["call"].to_pylist() if call is not None} <= calls
    assert sum(found["launches"]["ops"].to_pylist()) == sum(
        call is not None for call in found["ops"]["call"].to_pylist()
    )


@settings(max_examples=60, deadline=None)
@given(gpu_traces())
def test_the_ops_of_a_stage_add_up_to_its_row(trace: Trace) -> None:
    charged = charge(trace, Choices())
    summary = summarize_charged(charged, Choices())
    found = arrow_tables(charged, summary)
    ops = found["ops"].to_pylist()
    for stage in found["stages"].to_pylist():
        own = [op for op in ops if op["stage"] == stage["stage"]]
        assert len(own) == stage["ops"]
        if stage["device_time_ns"] is not None:
            assert sum(op["time_ns"] for op in own) == stage["device_time_ns"]
            assert sum(op["busy_ns"] for op in own) == stage["busy_ns"]
    assert sum(op["time_ns"] for op in ops) == summary.device.time_ns


def test_every_trace_has_every_table(chrome_trace: Path) -> None:
    run = load(chrome_trace, frames=ARROW)
    found = {name: run.table(name) for name in tables()}
    _check(found)
    assert found["stages"]["stage"].to_pylist() == [stage.stage for stage in run.summary.stages]
    assert found["tokens"].num_rows == len(run.summary.tokens)
    assert found["findings"]["id"].to_pylist() == [finding.id for finding in run.summary.findings]


def test_every_export_has_every_table(nsight_export: Path) -> None:
    run = load(nsight_export, frames=ARROW)
    _check({name: run.table(name) for name in tables()})


def test_a_row_says_its_stage_request_and_token() -> None:
    found = _tables(
        trace_of(
            span("tracer/request#3", 0, 100),
            span("tracer/prefill", 0, 40),
            span("tracer/decode#1", 50, 40),
            launch(10, 2, 1),
            launch(60, 2, 2),
            launch(95, 2, 3),
            kernel("gemm", 20, 5, 1),
            kernel("norm", 70, 3, 2),
            kernel("copy", 98, 1, 3),
        )
    )
    rows = found["ops"].select(["name", "stage", "request", "token", "time_ns", "reason", "call"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("gemm", "prefill", 3, None, 5000, None, 0),
        ("norm", "decode", 3, 1, 3000, None, 1),
        ("copy", None, None, None, 1000, "outside_ranges", 2),
    ]
    assert found["calls"]["stage"].to_pylist() == ["prefill", "decode", None]
    kinds = found["ranges"].select(["kind", "name", "stage", "token"]).to_pylist()
    assert {"kind": "stage", "name": None, "stage": "decode", "token": 1} in kinds
    assert {"kind": "annotation", "name": "tracer/decode#1", "stage": None, "token": None} in kinds


def test_names_that_are_no_text_are_written_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(document(launch(1, 1, 1), kernel("PLACE", 2, 1, 1)).replace(b"PLACE", b"a\\ud800\\u0000\xff"))
    assert load(path, frames=ARROW).table("ops")["name"].to_pylist() == ["a\\ud800\\u0000\ufffd"]


def test_halves_of_pairs_become_question_marks() -> None:
    trace = trace_of(launch(1, 1, 1), kernel("gemm", 2, 1, 1))
    names = _tables(replace(trace, strings=[f"{text}\udcff" for text in trace.strings]))["ops"]["name"].to_pylist()
    assert names == ["gemm?"]


def test_the_documentation_names_every_column() -> None:
    assert (ROOT / "docs" / "tables.md").read_text() == page(), "make tables"


def test_a_kernel_says_how_it_was_launched_and_an_allocator_what_it_did(tmp_path: Path) -> None:
    how = {"grid": [16, 4, 1], "block": [128, 1, 1], "registers per thread": 96, "shared memory": 512}
    given = {"Bytes": 50, "Device Type": 1, "Device Id": 0, "Addr": 7, "Total Allocated": 150, "Total Reserved": 200}
    taken = {**given, "Bytes": -50, "Total Allocated": 100}
    instant = {"ph": "i", "cat": "cpu_instant_event", "name": "[memory]", "pid": 100, "tid": 1}
    path = tmp_path / "run.json"
    path.write_bytes(
        document(
            span("tracer/prefill", 0, 20),
            operator("aten::empty", 4, 2),
            launch(1, 1, 1),
            launch(2, 1, 2),
            kernel("gemm", 3, 5, 1, args=how),
            kernel("copy", 9, 1, 2),
            {**instant, "ts": 5, "args": given},
            {**instant, "ts": 9, "args": taken},
        )
    )
    run = load(path, frames=ARROW)
    ops = run.table("ops").select(["grid", "block", "registers", "shared_bytes", "occupancy"]).to_pylist()
    assert [tuple(row.values()) for row in ops] == [("16x4x1", "128x1x1", 96, 512, None), (None,) * 5]
    memory = run.table("memory").select(["time_ns", "size_bytes", "allocated_bytes", "freed_ns", "operator", "stage"])
    assert [tuple(row.values()) for row in memory.to_pylist()] == [
        (5000, 50, 150, 9000, "aten::empty", "prefill"),
        (9000, -50, 100, None, None, "prefill"),
    ]


def test_rows_say_which_model_works_in_their_stage() -> None:
    found = _tables(trace_of(*rounds([(2, 1)])))
    for name, key in (("ops", "stage"), ("ranges", "stage"), ("calls", "stage")):
        roles = {(row[key], row["role"]) for row in found[name].select([key, "role"]).to_pylist() if row[key]}
        assert {("draft", "draft"), ("verify", "target"), ("prefill", "target")} <= roles, name
    assert {row["role"] for row in found["ranges"].to_pylist() if row["stage"] is None} == {None}
    one = _tables(trace_of(span("tracer/prefill", 0, 9), launch(1, 1, 1), kernel("k", 3, 5, 1)))
    assert {row["role"] for row in one["ops"].to_pylist()} == {None}

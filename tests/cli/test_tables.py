"""`tracer export` and `tracer query` as a person types them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from support.chrome import document, kernel, launch, span
from support.room import room_for
from support.typed import typed

from tracer.cli import export
from tracer.document.errors import InputError

pq = pytest.importorskip("pyarrow.parquet", reason="pip install '.[tables]'")
pytest.importorskip("duckdb", reason="pip install '.[tables]'")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    path.write_bytes(document(span("tracer/prefill", 0, 40), launch(10, 2, 1), kernel("gemm\x1b[31m", 13, 5, 1)))
    return path


def test_parquet_files_say_what_their_columns_mean(trace: Path, tmp_path: Path) -> None:
    done = typed("export", trace, "-o", tmp_path / "out")
    assert done.returncode == 0
    assert "ops.parquet: 1 row\n" in done.stderr
    ops = pq.read_table(tmp_path / "out" / "ops.parquet")
    assert ops["time_ns"].to_pylist() == [5000]
    assert ops.schema.field("time_ns").metadata[b"meaning"].startswith(b"its duration")


def test_csv_files_are_plain(trace: Path, tmp_path: Path) -> None:
    assert typed("export", trace, "-o", tmp_path / "out", "--format", "csv", "--table", "ops").returncode == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["ops.csv"]
    rows = list(csv.DictReader((tmp_path / "out" / "ops.csv").open()))
    assert [(row["stage"], row["time_ns"], row["token"]) for row in rows] == [("prefill", "5000", "")]


def test_arrow_files_are_read_back(trace: Path, tmp_path: Path) -> None:
    import pyarrow as pa

    assert typed("export", trace, "-o", tmp_path / "out", "--format", "arrow").returncode == 0
    with pa.OSFile(str(tmp_path / "out" / "stages.arrow")) as file:
        assert pa.ipc.open_file(file).read_all()["stage"].to_pylist() == ["prefill"]


def test_nothing_is_overwritten_unasked(trace: Path, tmp_path: Path) -> None:
    assert typed("export", trace, "-o", tmp_path / "out").returncode == 0
    again = typed("export", trace, "-o", tmp_path / "out")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "--force overwrites" in again.stderr
    assert typed("export", trace, "-o", tmp_path / "out", "--force").returncode == 0


@pytest.mark.parametrize("output", ["run.json", "no/such/folder"])
def test_a_folder_that_cannot_be_is_refused_before_reading(trace: Path, tmp_path: Path, output: str) -> None:
    done = typed("export", trace, "-o", tmp_path / output)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_query_prints_a_table_without_what_could_steer_a_terminal(trace: Path) -> None:
    done = typed("query", trace, "select name, time_ns from ops")
    assert done.returncode == 0
    assert "5,000" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_query_as_json_has_every_row(trace: Path) -> None:
    done = typed("query", trace, "select i from range(0, 300) t(i)", "--format", "json")
    assert len(json.loads(done.stdout)) == 300


def test_a_long_answer_says_what_it_leaves_out(trace: Path) -> None:
    done = typed("query", trace, "select i from range(0, 300) t(i)")
    assert "200 more rows" in done.stdout


def test_a_wrong_query_is_one_line(trace: Path) -> None:
    done = typed("query", trace, "delete from ops")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("room", [0, 1200])  # none, and for some of the tables
def test_a_full_disk_leaves_no_part_of_the_tables(trace: Path, tmp_path: Path, room: int) -> None:
    with room_for(room), pytest.raises(InputError, match="out: File too large$"):
        export.command(trace, tmp_path / "out", jobs=1)
    assert not (tmp_path / "out").exists()

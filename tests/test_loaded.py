"""A trace in Python: data frames of the library that there is."""

from __future__ import annotations

from pathlib import Path

import pytest

import tracer
from tracer.document.errors import InputError, UsageError

pytest.importorskip("pyarrow", reason="pip install '.[tables]'")


@pytest.fixture(scope="module")
def path() -> Path:
    return Path(__file__).parent / "data" / "kineto_mi300x_sglang_decode_graph.json.gz"


def test_pandas_frames_add_up(path: Path) -> None:
    pytest.importorskip("pandas")
    run = tracer.load(path, frames="pandas")
    by_stage = run.ops.groupby("stage", observed=True)["time_ns"].sum()
    assert {stage.stage: by_stage[stage.stage] for stage in run.summary.stages} == {
        stage.stage: stage.device_time_ns for stage in run.summary.stages
    }
    assert str(run.tokens["request"].dtype) == "Int64"  # unknown ones leave the rest whole numbers


def test_polars_frames_have_the_same_rows(path: Path) -> None:
    pytest.importorskip("polars")
    run = tracer.load(path, frames="polars")
    assert run.stages["stage"].to_list() == [stage.stage for stage in run.summary.stages]
    assert run.ops.height == run.summary.device.ops


def test_a_notebook_shows_the_report(path: Path) -> None:
    run = tracer.load(path, frames="arrow")
    assert f"{run.summary.device.ops} device ops" in run._repr_html_()


def test_a_run_lists_its_tables_and_no_others(path: Path) -> None:
    run = tracer.load(path, frames="arrow")
    assert {"ops", "tokens", "stages", "summary"} <= set(dir(run))
    with pytest.raises(AttributeError, match="it has summary, ops"):
        _ = run.kernels
    with pytest.raises(UsageError, match="no such table"):
        run.table("kernels")


def test_a_library_that_there_is_not_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="one of pandas, polars, arrow"):
        tracer.load(path, frames="excel")


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    with pytest.raises(InputError):
        tracer.load(other)

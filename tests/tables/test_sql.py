"""A query reads the tables of a trace, and reaches nothing else."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
from support.chrome import document, kernel, launch, span

from tracer.document.errors import UsageError

pytest.importorskip("pyarrow", reason="pip install '.[tables]'")
pytest.importorskip("duckdb", reason="pip install '.[tables]'")

from tracer.loaded import ARROW, Run, load


@pytest.fixture
def run(tmp_path: Path) -> Run:
    path = tmp_path / "run.json"
    path.write_bytes(
        document(
            span("tracer/prefill", 0, 40),
            launch(10, 2, 1),
            launch(20, 2, 2),
            kernel("gemm", 13, 5, 1),
            kernel("gemm", 23, 7, 2),
        )
    )
    return load(path, frames=ARROW)


def test_sums_over_ops(run: Run) -> None:
    answer = run.query("select stage, name, count(*) as n, sum(time_ns) as ns from ops group by all")
    assert answer.to_pylist() == [{"stage": "prefill", "name": "gemm", "n": 2, "ns": 12_000}]


def test_tables_join_by_their_keys(run: Run) -> None:
    answer = run.query("select ops.start_ns - calls.start_ns as delay from ops join calls using (call) order by op")
    assert answer["delay"].to_pylist() == [3000, 3000]


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('{file}')",
        "select * from read_text('{file}')",
        "select * from '{file}'",
        "select * from glob('/*')",
        "copy ops to '{folder}/out.csv'",
        "copy (select 1) to '{folder}/out.csv'",
        "attach '{folder}/out.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "pragma database_list",
        "create table t as select 1",
        "export database '{folder}/out'",
        "select * from ops; select * from ops",
        "with x as (select * from read_blob('{file}')) select * from x, ops",
        "call pragma_version()",
    ],
)
def test_nothing_but_the_tables_is_in_reach(run: Run, tmp_path: Path, sql: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\n")
    before = set(tmp_path.iterdir())
    with pytest.raises(UsageError):
        run.query(sql.format(file=secret, folder=tmp_path))
    assert set(tmp_path.iterdir()) == before


def test_python_variables_are_no_tables(run: Run) -> None:
    hidden = run.table("ops")
    assert hidden.num_rows == 2
    with pytest.raises(UsageError, match="hidden"):
        run.query("select * from hidden")


def test_a_table_that_there_is_not_is_told_with_those_that_there_are(run: Run) -> None:
    with pytest.raises(UsageError, match="the tables are ops, launches"):
        run.query("select * from kernels")


def test_an_error_is_one_line(run: Run) -> None:
    with pytest.raises(UsageError) as caught:
        run.query("select\n\n nonsense\n from ops")
    assert "\n" not in str(caught.value)


def test_an_interrupt_ends_a_query_that_would_take_hours(run: Run) -> None:
    """DuckDB itself would hear of it when the task that it is at ends."""
    main = threading.main_thread().ident or 0
    threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run.query("select count(*) from range(99999) a, range(99999) b, range(99999) c, range(99999) d, ops")

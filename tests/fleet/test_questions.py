"""Ready questions find what was planted, and nothing where nothing was."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from support.fleet import filled, saved_run

pytest.importorskip("pyarrow", reason="pip install '.[fleet]'")
pytest.importorskip("duckdb", reason="pip install '.[fleet]'")

from tracer.document.errors import UsageError
from tracer.document.fleet import Answer
from tracer.fleet.question import ask, questions, select
from tracer.fleet.sides import read_side
from tracer.fleet.store import Store

A, B = "build=a", "build=b"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return filled(tmp_path / "store")[0]


def _plant(store: Store, build: str, count: int, *, seed: int = 0, **more: Any) -> None:
    """So many runs of a build; each run's times vary by a percent or so."""
    chance, folder = random.Random(f"{build}{seed}"), store.root.parent
    factor = more.pop("factor", 1.0)
    for number in range(count):
        wobble = [1 + 0.01 * chance.uniform(-1, 1) for _ in range(3)]
        path = saved_run(
            folder, f"{build}-{seed}-{number}", vision_ms=30 * wobble[0], prefill_ms=50 * wobble[1],
            step_ms=20 * wobble[2] * factor, **more,
        )  # fmt: skip
        filled(store.root, path, tags={"build": build})


def _asked(store: Store, name: str, *between: str) -> Answer:
    return ask(store, questions()[name], tuple(map(read_side, between)))


def _verdicts(answer: Answer) -> dict[str, str]:
    return {row["measure"]: row["verdict"] for row in answer.rows}


def test_a_planted_regression_is_found_and_what_it_is_not_in_is_not(store: Store) -> None:
    _plant(store, "a", 6)
    _plant(store, "b", 6, factor=1.1)
    answer = _asked(store, "regressions", A, B)
    found = _verdicts(answer)
    assert (found["decode"], found["tpot"], found["vision"], found["prefill"]) == (
        "slower", "slower", "within noise", "within noise",
    )  # fmt: skip
    (decode,) = [row for row in answer.rows if row["measure"] == "decode"]
    assert decode["ratio"] == pytest.approx(1.1, rel=0.02)
    assert (decode["runs_before"], decode["runs_after"]) == (6, 6)
    assert _verdicts(_asked(store, "regressions", B, A))["decode"] == "faster"


def test_two_builds_that_are_alike_have_no_regression(store: Store) -> None:
    _plant(store, "a", 6)
    _plant(store, "b", 6)
    answer = _asked(store, "regressions", A, B)
    assert answer.rows
    assert not {"slower", "faster"} & set(_verdicts(answer).values())


def test_too_few_runs_cannot_be_judged_however_large_the_difference(store: Store) -> None:
    _plant(store, "a", 3)
    _plant(store, "b", 3, factor=2)
    answer = _asked(store, "regressions", A, B)
    assert answer.rows == []
    assert [one.reason for one in answer.abstained] == ["cannot be judged: 3 and 3 runs are too few"]
    assert "record 4 or more" in answer.abstained[0].next_step


def test_runs_on_other_machines_prove_nothing(store: Store) -> None:
    _plant(store, "a", 6, host="one")
    _plant(store, "b", 6, factor=1.5, host="two")
    answer = _asked(store, "regressions", A, B)
    assert answer.rows == []
    assert "the sides ran on different machines" in answer.abstained[0].reason


def test_where_machines_are_shared_runs_are_compared_within_them(store: Store) -> None:
    """One machine is twice as slow as the other, and had most of the runs of the second build."""
    _plant(store, "a", 6, host="one")
    _plant(store, "a", 2, seed=1, host="two", factor=2)
    _plant(store, "b", 2, host="one")
    _plant(store, "b", 6, seed=1, host="two", factor=2)
    assert _verdicts(_asked(store, "regressions", A, B))["decode"] not in ("slower", "faster")


def test_a_side_without_runs_is_told(store: Store) -> None:
    _plant(store, "a", 2)
    answer = _asked(store, "regressions", A, "build=none")
    assert answer.rows == []
    assert answer.abstained[0].what == "a comparison with build=none"


def test_runs_on_both_sides_are_refused(store: Store) -> None:
    _plant(store, "a", 1)
    with pytest.raises(UsageError, match="on both sides"):
        _asked(store, "regressions", A, "2026-11-27")


def test_days_and_versions_are_sides_too(store: Store) -> None:
    _plant(store, "a", 1)
    (row,) = select(store, "select * from runs").to_pylist()
    assert read_side("2026-11-27").holds(row)
    assert read_side("2026-11-01..2026-11-30").holds(row)
    assert not read_side("2026-11-28..2026-11-30").holds(row)
    assert read_side("torch=2.13.0").holds(row)
    assert not read_side("torch=2.12.0").holds(row)


@pytest.mark.parametrize("text", ["", "yesterday", "=x", "2026-13-01", "2026-11-27..2026-13-01"])
def test_what_is_no_side_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--between"):
        read_side(text)


def test_a_slow_machine_is_named_and_none_where_all_are_alike(store: Store) -> None:
    for number in range(5):
        _plant(store, "a", 4, seed=number, host=f"node{number}")
    assert _asked(store, "outliers").rows == []
    _plant(store, "a", 4, seed=9, host="node9", factor=1.2)
    rows = _asked(store, "outliers").rows
    assert {(row["machine"], row["stage"], row["runs"], row["others"]) for row in rows} == {("node9", "decode", 4, 20)}


def test_of_few_machines_none_is_the_odd_one(store: Store) -> None:
    _plant(store, "a", 4, host="one")
    _plant(store, "a", 4, seed=1, host="two", factor=2)
    answer = _asked(store, "outliers")
    assert answer.rows == []
    assert "fewer than 5 machines" in answer.abstained[0].reason


def test_a_kernel_whose_time_changed_is_named_and_its_neighbours_are_not(store: Store, tmp_path: Path) -> None:
    from support.summaries import requests, save, summary

    for build, length in (("a", 20.0), ("b", 26.0)):
        for number in range(6):
            kernels = [("vision", "gemm", 30.0 + number), ("decode#1", "gemv", length + 0.1 * number)]
            kernels += [("prefill", "new", 5.0)] if build == "b" else [("prefill", "gemm", 5.0)]
            path = save(summary(requests(30 + number / 10), kernels=kernels), tmp_path / f"k{build}{number}.json")
            filled(store.root, path, tags={"build": build})
    answer = _asked(store, "kernels", A, B)
    assert {(row["kernel"], row["stage"], row["verdict"]) for row in answer.rows} == {
        ("gemv", "decode", "slower"), ("new", "prefill", "appeared"), ("gemm", "prefill", "vanished"),
    }  # fmt: skip


def test_slowest_has_a_row_a_stage_model_and_gpu(store: Store) -> None:
    _plant(store, "a", 2)
    rows = _asked(store, "slowest").rows
    assert [row["stage"] for row in rows] == ["prefill", "vision", "decode"]
    assert (rows[0]["model"], rows[0]["clean"], rows[0]["traces"]) == ("eventgpt", "clean", 2)
    assert rows[0]["run_ns"] == pytest.approx(50e6, rel=0.02)


def test_questions_that_compare_need_sides_and_others_take_none(store: Store) -> None:
    with pytest.raises(UsageError, match="--between"):
        _asked(store, "regressions")
    with pytest.raises(UsageError, match="compares nothing"):
        _asked(store, "slowest", A, B)


def test_an_empty_store_answers_every_question_with_nothing(store: Store) -> None:
    for name, question in questions().items():
        assert _asked(store, name, *((A, B) if question.compares else ())).rows == []


@pytest.mark.parametrize("sql", ["select * from read_csv('/etc/passwd')", "copy runs to 'x.csv'", "delete from runs"])
def test_sql_reads_the_tables_and_nothing_else(store: Store, sql: str) -> None:
    _plant(store, "a", 1)
    assert select(store, "select count(*) as n from runs join stages using (run)").to_pylist() == [{"n": 3}]
    assert select(store, "select tags['build'] as b from runs").to_pylist() == [{"b": "a"}]
    with pytest.raises(UsageError):
        select(store, sql)


def test_every_command_of_the_page_is_one_that_there_is() -> None:
    import re
    import shlex

    import typer.main

    from tracer.cli.app import build_app

    page = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text()
    commands = [line for block in re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL) for line in block.splitlines()]
    assert len(commands) == 5
    verb = typer.main.get_command(build_app(["fleet"]))
    for line in commands:
        assert line.startswith("tracer fleet ")
        command = verb.commands["fleet"]  # type: ignore[attr-defined]
        asked = command.make_context("fleet", shlex.split(line)[2:]).params["paths"]
        assert asked[0] != "query" or asked[2] in questions() or asked[2].startswith("select ")

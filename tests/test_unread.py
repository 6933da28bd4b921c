"""Of a file whose work is not read nothing is answered with nothing: who wrote it is said, and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.chrome import kernel, launch, span, write

from tracer.choices import Choices
from tracer.document.errors import InputError
from tracer.document.summary import UNREAD
from tracer.fleet.fill import Order, Tally, fill
from tracer.loaded import ARROW, load
from tracer.perfetto.asked import Asked
from tracer.perfetto.slice import cut_out
from tracer.summarize import summarize_file

ASCEND = "cases/ascend_trace_view.json"
SAID = "its work is not read: written by Ascend PyTorch Profiler"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A file that is read."""
    events = [span("step[DECODE bs=1]", 0, 50), launch(1, 1, 1), kernel("gemm", 2, 8, 1)]
    return write(tmp_path / "whole.json", *events)


@pytest.mark.parametrize(
    "choices",
    [
        Choices(by="kernel"),
        Choices(by="op"),
        Choices(by="host"),
        Choices(shapes=True),
        Choices(steady=True),
        Choices(request=0),
        Choices(patterns={"decode": "^step"}),
    ],
    ids=["by kernel", "by op", "by host", "shapes", "steady", "request", "marker"],
)
def test_what_only_its_work_can_answer_is_refused(data: Path, choices: Choices) -> None:
    with pytest.raises(InputError, match=SAID):
        summarize_file(data / ASCEND, choices)


def test_its_summary_says_so_and_one_of_a_file_that_is_read_does_not(data: Path, whole: Path) -> None:
    assert [one.what for one in summarize_file(data / ASCEND).abstained] == [UNREAD]
    assert UNREAD not in [one.what for one in summarize_file(whole, Choices(by="kernel")).abstained]


@pytest.mark.parametrize("answer", [lambda run: run.table("ops"), lambda run: run.query("select count(*) from ops")])
def test_it_has_no_tables_rather_than_empty_ones(data: Path, whole: Path, answer: Callable[..., object]) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("duckdb")
    with pytest.raises(InputError, match=SAID):
        answer(load(data / ASCEND, frames=ARROW))
    assert answer(load(whole, frames=ARROW))


def test_no_part_of_it_is_cut_out(data: Path, whole: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    with pytest.raises(InputError, match=SAID):
        cut_out(data / ASCEND, output, Asked(stages=("decode",)), Choices())
    assert not output.exists()
    assert cut_out(whole, output, Asked(stages=("decode",)), Choices()) == 1


def test_in_a_fleet_it_is_a_failure(data: Path, whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    tallies: list[Tally] = []
    errors = []
    order = Order(
        given=[str(data / ASCEND), str(whole)],
        store=tmp_path / "store",
        workers=0,
        scheduler=None,
        memory_bytes=1 << 30,
    )
    fill(order, tallies.append, lambda outcome: errors.append(outcome.error))
    assert sorted(error[: len(SAID)] for error in errors) == ["", SAID]

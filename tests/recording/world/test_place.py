"""Which rank a process is, by its environment, and which file is its."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tracer.cli.main import RANKS_FOLDER
from tracer.cli.ranked import Ranks, find_ranks
from tracer.document.errors import InputError, UsageError
from tracer.recording.world.place import ALONE, FOLDER, Place, find_place, of_rank
from tracer.recording.world.supervisor import Outcome, outcome_path

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1"}
ASKED: dict[str, Any] = {
    "model": "eventgpt", "decode": "eager", "device": None, "script": None, "nsys": False, "nsys_path": None,
    "energy": False, "draft": None,
}  # fmt: skip


def test_the_command_line_knows_the_ranks_that_it_started_by_the_same_variable() -> None:
    assert RANKS_FOLDER == FOLDER


def test_what_torchrun_sets_is_a_place() -> None:
    assert find_place(TORCHRUN) == Place(rank=1, size=2, local=1)


@pytest.mark.parametrize("missing", TORCHRUN)
def test_a_part_of_it_is_none(missing: str) -> None:
    """Jobs of clusters have some of these in every process."""
    assert find_place({name: value for name, value in TORCHRUN.items() if name != missing}) is ALONE


def test_one_process_of_torchrun_is_alone() -> None:
    assert find_place(TORCHRUN | {"RANK": "0", "WORLD_SIZE": "1"}) is ALONE


@pytest.mark.parametrize(("name", "value"), [("RANK", "2"), ("RANK", "-1"), ("WORLD_SIZE", "two"), ("LOCAL_RANK", "x")])
def test_what_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError, match="which torchrun would not"):
        find_place(TORCHRUN | {name: value})


def test_a_run_that_we_started_needs_no_address(tmp_path: Path) -> None:
    said = {name: value for name, value in TORCHRUN.items() if name != "MASTER_ADDR"} | {"TRACER_RANKS": str(tmp_path)}
    assert find_place(said) == Place(rank=1, size=2, local=1, folder=tmp_path)


def test_every_rank_has_a_file_whose_name_says_it() -> None:
    assert [of_rank(Path("a/run.json"), rank).name for rank in (0, 11)] == ["run.rank0.json", "run.rank11.json"]
    assert of_rank(Path("a.b.json.gz"), 3) == Path("a.b.rank3.json.gz")


@pytest.fixture
def under_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)


def test_without_ranks_a_process_records_alone() -> None:
    for size in (None, 1):
        ranks = find_ranks(size, ASKED)
        assert (ranks.to_start, ranks.speaks, ranks.outputs(Path("run.json"))) == (False, True, [Path("run.json")])


def test_a_process_that_starts_ranks_answers_for_their_files() -> None:
    ranks = find_ranks(2, ASKED)
    assert ranks.to_start
    assert ranks.outputs(Path("run.json")) == [Path("run.rank0.json"), Path("run.rank1.json")]


@pytest.mark.usefixtures("under_torchrun")
def test_a_rank_writes_its_own_file_and_is_silent() -> None:
    for size in (None, 2):
        ranks = find_ranks(size, ASKED)
        assert (ranks.to_start, ranks.speaks, ranks.outputs(Path("run.json"))) == (
            False,
            False,
            [Path("run.rank1.json")],
        )


@pytest.mark.usefixtures("under_torchrun")
def test_torchrun_and_the_option_must_agree() -> None:
    with pytest.raises(UsageError, match="--tensor-parallel 4: torchrun started 2 processes"):
        find_ranks(4, ASKED)


REFUSED = [
    ({"script": ["python", "a.py"]}, r"tracer record -- torchrun --nproc-per-node 2 my_infer\.py"),
    ({"nsys": True}, "--nsys records one process"),
    ({"nsys_path": Path("nsys")}, "--nsys records one process"),
    ({"energy": True}, "--energy repeats each stage"),
    ({"draft": "eventgpt"}, "--draft: rounds are made by one process"),
    ({"model": "hf:folder"}, "built-in models are divided"),
    ({"decode": "graph"}, "--decode graph: its steps hold no collectives"),
    ({"decode": "compile"}, "--decode compile: its steps hold no collectives"),
    ({"device": "cuda:1"}, "--device cuda:1: each rank has a GPU of its own: write --device cuda"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_what_ranks_cannot_record_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find_ranks(2, ASKED | changes)
    assert find_ranks(1, ASKED | changes).size == 1  # of one process none of it is


@pytest.mark.usefixtures("under_torchrun")
@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_under_torchrun_likewise(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find_ranks(None, ASKED | changes)


def test_a_function_of_ones_own_divides_its_model_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"divides its model itself: torchrun --nproc-per-node 2 -m tracer record"):
        find_ranks(2, ASKED | {"model": "mine.py:build"})
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    assert find_ranks(None, ASKED | {"model": "mine.py:build"}).size == 2


@pytest.mark.parametrize("decode", ["eager", "static"])
def test_ranks_decode_eagerly_and_over_a_static_cache(decode: str) -> None:
    assert find_ranks(2, ASKED | {"decode": decode, "device": "cuda"}).to_start


def failing(place: Place, error: Exception, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """How a rank ends that fails so, before it has met the others."""

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(SystemExit) as end:
        Ranks(place, place.size)._fail(error, folder / "own")
    return end.value.code


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UsageError("no such size"), Outcome(messages=["no such size"], exit_code=2, everywhere=True)),
        (InputError("no such folder"), Outcome(messages=["no such folder"], exit_code=1, everywhere=True)),
        (
            RuntimeError("[gloo/transport/tcp/pair.cc:525] Connection closed by peer. See\nmore"),
            Outcome(
                messages=["another rank is gone ([gloo/transport/tcp/pair.cc:525] Connection closed by peer)"],
                exit_code=1,
                lost=True,
            ),
        ),
        (MemoryError(), Outcome(messages=["out of memory on this machine"], exit_code=1)),
    ],
)
def test_a_rank_that_fails_tells_whoever_started_it(
    error: Exception, expected: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(rank=1, size=2, local=1, folder=tmp_path)
    assert failing(place, error, tmp_path, monkeypatch) == expected.exit_code
    assert msgspec.json.decode(outcome_path(tmp_path, 1).read_bytes(), type=Outcome) == expected


def test_memory_that_one_rank_lacks_is_that_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = InputError("out of memory on the device")
    error.__context__ = MemoryError()
    failing(Place(rank=0, size=2, folder=tmp_path), error, tmp_path, monkeypatch)
    assert not msgspec.json.decode(outcome_path(tmp_path, 0).read_bytes(), type=Outcome).everywhere


def test_under_torchrun_a_rank_that_fails_says_which_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(Place(rank=1, size=2), InputError("it broke"), tmp_path, monkeypatch) == 1
    assert capsys.readouterr().err == "tracer: rank 1: it broke\n"

"""Two ranks recorded on a CPU by gloo: what their traces say, and what is left when one is killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.typed import typed

from tracer.choices import Choices
from tracer.ranks.analyse import analyse
from tracer.summarize import summarize_file

TOKENS, LAYERS = 3, 2
COMMAND = ["record", "--tensor-parallel", "2", "--device", "cpu", "--max-new-tokens", str(TOKENS), "--frames", "1"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("ranks")
    temporary = tmp_path_factory.mktemp("temporary")
    done = typed(*COMMAND, "--requests", "2", "--prompt-tokens", "8", folder=folder, TMPDIR=str(temporary))
    assert not list(temporary.iterdir())
    return folder, done


@pytest.fixture
def documents(recorded: tuple[Path, subprocess.CompletedProcess[str]]) -> list[dict[str, Any]]:
    return [json.loads((recorded[0] / f"run.rank{rank}.json").read_bytes()) for rank in (0, 1)]


def test_what_is_said_is_said_once(recorded: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = recorded
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert said[0].startswith(f"verified: {TOKENS} tokens equal the model's own generate, on each of 2 ranks; the enc")
    assert said[1].startswith("wrote run.rank0.json (")
    assert said[2:] == [
        "wrote a trace of each of 2 ranks: run.rank0.json run.rank1.json",
        "next: tracer ranks run.rank0.json run.rank1.json",
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["run.rank0.json", "run.rank1.json"]


def test_each_trace_says_its_rank(documents: list[dict[str, Any]]) -> None:
    for rank, document in enumerate(documents):
        manifest = document["tracer"]
        assert (manifest["rank"], manifest["world_size"]) == (rank, 2)
        told = document["distributedInfo"]
        assert (told["rank"], told["world_size"], told["backend"]) == (rank, 2, "gloo")
        assert manifest["model"]["tensor_parallel"]["ranks"] == 2
        assert len(manifest["clean"]) == 2
        assert (manifest["verification"]["status"], manifest["verification"]["tokens"]) == ("passed", TOKENS)


def test_every_pass_has_the_collectives_of_its_layers(documents: list[dict[str, Any]]) -> None:
    """Two all-reduces a layer, and one gathering of logits; their meetings lie outside the requests."""
    for document in documents:
        events = [event for event in document["traceEvents"] if event.get("ph") == "X"]
        (request,) = [event for event in events if event["name"] == "tracer/request#1" and event["cat"] != "tracer"][:1]
        inside = [
            event["name"]
            for event in events
            if request["ts"] <= event["ts"] < request["ts"] + request["dur"] and event.get("cat") == "user_annotation"
        ]
        assert inside.count("gloo:all_reduce") == 2 * LAYERS * TOKENS
        assert inside.count("gloo:all_gather") == TOKENS


def test_the_header_says_the_rank(recorded: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    summary = summarize_file(recorded[0] / "run.rank1.json", Choices(jobs=1))
    assert summary.run is not None
    assert (summary.run["rank"], summary.run["world_size"]) == (1, 2)
    text = typed("summarize", "run.rank1.json", "--width", "120", folder=recorded[0]).stdout
    assert text.splitlines()[0].startswith("eventgpt tiny, float32 on ")
    assert ", rank 1 of 2: 1 frame, " in text.splitlines()[0]


def test_ranks_of_a_cpu_are_compared_by_the_collectives_of_their_requests(
    recorded: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """Those by which the recorder's ranks meet are left out; what is named depends on the machine."""
    found = analyse([recorded[0] / f"run.rank{rank}.json" for rank in (0, 1)], Choices(jobs=1))
    count = (2 * LAYERS + 1) * TOKENS
    assert (found.collectives, found.matched, found.missing, found.abstained) == (count, count, [], [])
    for rank in found.ranks:
        for row in rank.stages:
            assert row.wait_ns + row.transfer_ns == row.collective_ns
            assert bool(row.collective_ns) == (row.stage in ("prefill", "decode"))


def test_files_that_are_there_are_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "run.rank1.json").write_text("{}")
    done = typed(*COMMAND, folder=tmp_path)
    assert (done.returncode, done.stderr) == (2, "tracer: run.rank1.json: exists already; --force overwrites it\n")


def test_a_rank_killed_in_a_pass_ends_the_run(tmp_path: Path) -> None:
    """The other waits for it in a collective, and only hears that it is gone."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [
        sys.executable,
        "-m",
        "tracer",
        *COMMAND,
        "--no-verify",
        "--requests",
        "100000",
        "-o",
        str(tmp_path / "run.json"),
    ]
    with subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as run:
        # The workspace of a rank is made when the ranks have met.
        while len(list(temporary.glob("*/rank*/tracer-rank-*/tracer-*"))) < 2:
            assert run.poll() is None
            time.sleep(0.05)
        ranks = sorted(
            int(pid)
            for task in Path(f"/proc/{run.pid}/task").iterdir()
            for pid in (task / "children").read_text().split()
        )
        os.kill(ranks[1], signal.SIGKILL)
        _, said = run.communicate(timeout=120)
    assert run.returncode == 1
    assert said == "tracer: rank 1 of 2 was ended by SIGKILL; where nobody did that, this machine ran out of memory\n"
    assert not any(Path(f"/proc/{rank}").exists() for rank in ranks)
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]
    assert not list(temporary.iterdir())

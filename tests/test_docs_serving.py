"""docs/serving.md: its commands on folders like those that the servers leave, and its markers."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from support.chrome import kernel, launch, span, write
from support.nsight import Export
from support.typed import typed

from tracer.summarize import summarize

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/serving.md").read_text()
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL) for line in block.splitlines() if line
]


def _type(folder: Path, *arguments: str) -> str:
    done = typed(*arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    chosen = [line for line in done.stderr.splitlines() if not line.startswith("tracer: reading ")]
    assert chosen == []
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path, data: Path) -> Path:
    """What the servers write, under the names they give it; the front end's trace is the newest."""
    files = {
        "vllm_profile/dp0_pp0_tp0_dcp0_ep0_rank0.1757000000.pt.trace.json.gz": "kineto_b200_vllm_eager.json.gz",
        "vllm_profile/host_1.async_llm.1757000001.pt.trace.json.gz": "kineto_cpu_only.json.gz",
        "sglang_profile/1757000000.5-TP-0.trace.json.gz": "kineto_mi300x_sglang_decode_graph.json.gz",
    }
    for time, (name, source) in enumerate(files.items()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((data / source).read_bytes())
        os.utime(tmp_path / name, (time, time))
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_finds_the_servers_steps(folder: Path, command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "tracer"
    assert _type(folder, *arguments)
    found = json.loads(_type(folder, *arguments, "--format", "json"))
    markers, stage = ("vllm", "prefill") if "vllm" in command else ("sglang", "decode")
    assert found["trace"]["markers"] == markers
    assert [row["stage"] for row in found["stages"]] == [stage]


def test_the_markers_for_older_releases_tell_the_steps_apart(tmp_path: Path) -> None:
    (quoted,) = re.findall(r"tracer summarize vllm_profile --rank 0 (--marker.*?)```", TEXT, flags=re.DOTALL)
    names = ("execute_new_2_cached_0", "execute_new_0_cached_2", "execute_new_10_cached_3")
    events = [
        event
        for i, name in enumerate(names)
        for event in (span(name, 100 * i, 50), launch(100 * i + 1, 1, i + 1), kernel("k", 100 * i + 9, 5, i + 1))
    ]
    trace = write(tmp_path / "trace.json", *events)
    options = shlex.split(quoted.replace("\\\n", " "))
    found = json.loads(_type(tmp_path, "summarize", str(trace), *options, "--format", "json"))
    assert {(row["stage"], row["calls"]) for row in found["stages"]} == {("prefill", 1), ("decode", 1), ("mixed", 1)}


@pytest.mark.parametrize(
    ("markers", "names"),
    [
        ("vllm", ["execute_context_1(888)_generation_0(0)", "execute_context_0(0)_generation_4(4)"]),
        (
            "trtllm",
            [f"[Executor] _forward_step {n}, 4 gen reqs" for n in ("1: 1 ctx reqs, 9 ctx tokens", "2: 0 ctx reqs")],
        ),
    ],
)
def test_steps_are_understood_in_an_nsight_report_too(markers: str, names: list[str]) -> None:
    export = Export()
    for start, name in zip((0, 100), names, strict=True):
        export.span(name, start, start + 50).call(start + 1, start + 2, start + 7)
        export.kernel("k", start + 9, start + 20, start + 7)
    summary = summarize(export.trace())
    assert summary.trace.markers == markers
    first = "prefill" if markers == "vllm" else "mixed"
    assert {stage.stage: stage.ops for stage in summary.stages} == {first: 1, "decode": 1}


def test_every_source_is_cited_and_every_citation_has_one() -> None:
    sources = set(re.findall(r"^(\d+)\. ", TEXT, flags=re.MULTILINE))
    cited = {number for group in re.findall(r"\[(\d+(?:, \d+)*)\](?!\()", TEXT) for number in group.split(", ")}
    assert cited == sources

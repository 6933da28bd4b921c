"""Every verb asked of a trace whose work is not read says so, and whose; none answers as if there were no work."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.chrome import document, kernel, launch, span

from tracer.cli.app import run
from tracer.document.errors import InputError, TracerError

if TYPE_CHECKING:
    from pathlib import Path

XLA = [
    {"ph": "M", "pid": 1, "tid": 0, "name": "process_name", "args": {"name": "/device:GPU:0"}},
    {"ph": "X", "pid": 1, "tid": 1, "ts": 1.0, "dur": 30, "name": "fusion", "args": {"hlo_module": "jit_f"}},
]
ASKED = {
    "steady": "summarize FILE --steady",
    "request": "summarize FILE --request 0",
    "stage": "summarize FILE --stage decode",
    "marker": "summarize FILE --marker decode=step",
    "slice": "slice FILE --stage decode -o OUT",
    "whatif": "whatif FILE --stage decode=0.5",
    "compare": "compare FILE FILE",
    "baseline": "baseline save main FILE",
    "query": "query FILE SELECT",
    "export": "export FILE -o OUT",
}


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "foreign.json"
    path.write_text(json.dumps({"traceEvents": XLA}))
    return path


def _asked(line: str, path: Path) -> list[str]:
    words = {"FILE": str(path), "OUT": str(path.parent / "out.json"), "SELECT": "select count(*) from ops"}
    return [words.get(word, word) for word in line.split()]


@pytest.mark.parametrize("verb", ASKED)
def test_a_verb_asked_of_work_that_is_not_read_refuses_and_names_the_producer(verb: str, foreign: Path) -> None:
    if verb in ("query", "export"):
        pytest.importorskip("duckdb", reason="pip install '.[tables]'")
    with pytest.raises(InputError, match="its work is not read: written by XLA's profiler"):
        run(_asked(ASKED[verb], foreign))
    assert [path.name for path in foreign.parent.iterdir()] == ["foreign.json"]


@pytest.mark.parametrize("verb", ASKED)
def test_what_is_read_is_not_refused_for_that(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "read.json"
    path.write_bytes(document(span("tracer/prefill", 0, 40), launch(10, 2, 1), kernel("gemm", 13, 5, 1)))
    if verb in ("query", "export"):
        pytest.importorskip("duckdb", reason="pip install '.[tables]'")
    try:
        run(_asked(ASKED[verb], path))
    except TracerError as error:
        assert "not read" not in str(error)


def test_explaining_a_finding_says_why_none_can_be_told(foreign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["explain", "kv-growth", str(foreign)])
    assert "device work cannot be told: written by XLA's profiler" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("lost", [True, False])
def test_rows_of_a_trace_that_lacks_ops_come_with_a_word_on_standard_error(
    lost: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("duckdb", reason="pip install '.[tables]'")
    path, second = tmp_path / "run.json", [] if lost else [kernel("gemm", 23, 5, 2)]
    events = [span("tracer/prefill", 0, 40), launch(10, 2, 1), kernel("gemm", 13, 5, 1), launch(20, 2, 2), *second]
    path.write_bytes(document(*events))
    run(["query", str(path), "select count(*) from ops"])
    run(["export", str(path), "-o", str(tmp_path / "out")])
    told = capsys.readouterr().err.count("1 of 2 cudaLaunchKernel has no device op")
    assert told == (2 if lost else 0)


def test_tracks_of_what_was_not_read_or_not_recorded_come_with_a_word(
    foreign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["annotate", str(foreign), "-o", str(foreign.parent / "a.json")])
    assert "its work is not read, so that no track shows any: written by XLA's profiler" in capsys.readouterr().err
    first = [span("tracer/prefill", 0, 40), launch(10, 2, 1), kernel("gemm", 13, 5, 1), launch(20, 2, 2)]
    for events, said in ((first, True), ([*first, kernel("gemm", 23, 5, 2)], False)):
        foreign.write_bytes(document(*events))
        run(["annotate", str(foreign), "-o", str(foreign.parent / "b.json"), "--force"])
        assert ("1 of 2 cudaLaunchKernel has no device op" in capsys.readouterr().err) is said

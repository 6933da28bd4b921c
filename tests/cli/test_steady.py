"""`tracer summarize --steady`, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

from support.chrome import Event, kernel, launch, span, write
from support.typed import typed


def _serve(path: Path, batches: list[int]) -> Path:
    events: list[Event] = []
    for number, batch in enumerate(batches, start=1):
        at = 100.0 * number
        events += [span(f"step[DECODE bs={batch}]", at, 90), launch(at + 1, 1, number), kernel("k", at + 5, 50, number)]
    return write(path, *events)


def test_the_steady_part_alone_is_summarised_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    path = _serve(tmp_path / "trace.json", [1, 2, *[4] * 10, 2])
    done = typed("summarize", str(path), "--steady", "--format", "json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["stages"][0]["calls"] == 10
    steady = found["serving"]["steady"]
    assert (steady["batch"], steady["steps"], steady["before"], steady["after"]) == (4, 10, 2, 1)
    assert (steady["ops_left_out"], steady["time_left_out_ns"]) == (3, 150_000)


def test_a_trace_without_a_steady_part_is_refused_in_one_line(tmp_path: Path) -> None:
    path = _serve(tmp_path / "trace.json", [*range(1, 20)])
    done = typed("summarize", str(path), "--steady", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no steady part" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_saved_summary_has_no_other_part(tmp_path: Path) -> None:
    path = _serve(tmp_path / "trace.json", [4] * 10)
    assert typed("summarize", str(path), "--format", "json", "-o", "saved.json", folder=tmp_path).returncode == 0
    done = typed("summarize", "saved.json", "--steady", folder=tmp_path)
    assert done.returncode == 2
    assert "--steady" in done.stderr

"""CONTRIBUTING.md: each example, put where it says into a copy of the packages, adds what it promises."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.chrome import kernel, launch, span, write

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
# By path, and for a line in a file that is there the text behind which it goes; then the example.
EXAMPLES = re.findall(r"```python\n# ([\w/]+\.py)(?:: ([^\n]+))?\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages with every example in them."""
    copy = tmp_path_factory.mktemp("copy")
    for package in ("tracer", "model", "reports"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for path, place, example in EXAMPLES:
        file = copy / path
        if not place:
            assert not file.exists(), path
            file.write_text(example)
            continue
        before, found, after = file.read_text().partition(place)
        assert found, (path, place)
        file.write_text(f"{before}{place}\n{example}{after}")
    return copy


def _tracer(copy: Path, *arguments: object) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "80", "TRACER_TRACEBACK": "1"}
    command = [sys.executable, "-m", "tracer", *map(str, arguments)]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Two prefills in one request, in ranges of nobody that we know."""
    pieces = [(span("engine.prefill", at, 50), launch(at + 1, 1, at), kernel("k", at + 5, 9, at)) for at in (100, 200)]
    return write(tmp_path / "trace.json", *[event for piece in pieces for event in piece])


def test_there_is_an_example_of_each_kind_of_thing() -> None:
    assert [path for path, place, _ in EXAMPLES if not place] == [
        "tracer/findings/prefill_in_pieces.py", "tracer/measure/by/device.py", "tracer/charge/stages/lmdeploy.py",
        "reports/parts/events.py", "tracer/cli/schema.py",
    ]  # fmt: skip


def test_a_finding_a_source_of_stages_and_a_part_are_there(copy: Path, trace: Path) -> None:
    found = json.loads(_tracer(copy, "summarize", trace, "--format", "json"))
    assert (found["trace"]["markers"], [stage["stage"] for stage in found["stages"]]) == ("lmdeploy", ["prefill"])
    assert "prefill-in-pieces" in {finding["id"] for finding in found["findings"]}
    assert "events were read" in _tracer(copy, "summarize", trace)
    assert "events were read" in _tracer(copy, "summarize", trace, "--format", "markdown")


def test_a_finding_is_explained_and_a_verb_and_a_measure_are_there(copy: Path, trace: Path) -> None:
    assert "Each piece reads all weights anew." in _tracer(copy, "explain", "prefill-in-pieces")
    assert "device 0" in _tracer(copy, "summarize", trace, "--by", "device")
    assert _tracer(copy, "schema").startswith("tracer.summary/")
    assert "Print the schema of the summary." in _tracer(copy, "--help")


def test_without_the_examples_none_of_it_is_there(trace: Path) -> None:
    found = json.loads(_tracer(ROOT, "summarize", trace, "--format", "json"))
    assert found["stages"] == []

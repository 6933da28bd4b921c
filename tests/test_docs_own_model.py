"""docs/your-own-model.md: its files are written out, its commands typed in order, and what they say looked at."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.typed import python, typed

from tracer.recording.own.adapter import ANSWER, GENERATE, STAGES, STEPS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/your-own-model.md").read_text()
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL) for line in block.splitlines() if line
]
FIVE = ["load", "preprocess", "vision", "prefill", "decode"]
# By recording: the verification, the stages, the tokens of the recorded request.
EXPECTED = {
    "staged.json": ("passed", FIVE, 8),
    "marked.json": ("skipped", FIVE, 8),
    "script.json": ("skipped", FIVE[1:], 6),
    "auto.json": ("skipped", FIVE[2:], 6),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    for name, source in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", TEXT, flags=re.DOTALL):
        (folder / name).write_text(source)
    return folder


def _type(folder: Path, command: str, *more: str) -> str:
    program, *arguments = shlex.split(command)
    assert program == "tracer"
    path = f"{Path(python()).parent}{os.pathsep}{os.environ['PATH']}"
    done = typed(*arguments, *more, folder=folder, PATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_example_is_recorded_and_summarised() -> None:
    recorded = re.findall(r"--output (\S+)", "\n".join(COMMANDS))
    assert recorded == list(EXPECTED)
    assert [command for command in COMMANDS if "summarize" in command] == [f"tracer summarize {n}" for n in recorded]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_example_does_what_the_page_says(folder: Path, name: str) -> None:
    verified, stages, tokens = EXPECTED[name]
    (record,) = [command for command in COMMANDS if f"--output {name}" in command]
    assert f"next: tracer summarize {name}" in _type(folder, record)
    assert "decode tokens" in _type(folder, f"tracer summarize {name}")
    found = json.loads(_type(folder, f"tracer summarize {name}", "--format", "json"))
    assert found["run"]["verification"] == verified
    assert list(found["latency"]["stages_ns"]) == stages
    assert [stage["stage"] for stage in found["stages"]] == stages
    assert [token["index"] for token in found["tokens"]] == list(range(1, tokens))
    assert found["run"]["new_tokens"] == tokens
    assert found["device"]["unattributed"]["ops"] == 0


def test_the_table_has_every_method() -> None:
    for method, arguments in (STAGES | STEPS | ANSWER | GENERATE).items():
        assert f"| `{method}{arguments}` |" in TEXT


def test_what_the_files_say_is_what_ruff_would_have(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,B", "--line-length", "120", "."],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "No module named ruff" in done.stderr:
        pytest.skip("ruff is a tool of `make check`")
    assert done.returncode == 0, done.stdout

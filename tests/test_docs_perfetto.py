"""Every command of docs/perfetto.md, run as it stands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ranks
from support.chrome import kernel, launch, span, write
from support.perfetto import perfetto

PAGE = (Path(__file__).parent.parent / "docs/perfetto.md").read_text()
COMMANDS = re.findall(r"```(?:sh|text)\n(tracer .*?)\n```", PAGE, flags=re.DOTALL)
(SQL,) = re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL)


def _run(command: str, folder: Path) -> None:
    words = [sys.executable, "-m", *shlex.split(command)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _run_file(path: Path) -> Path:
    events = [span("tracer/request#1", 0, 500)]
    for number in range(1, 20):
        events += [span(f"tracer/decode#{number}", 20 * number, 19), launch(20 * number + 1, 1, number)]
        events.append(kernel("k", 20 * number + 5, 3, number))
    return write(path, *events)


def test_the_commands_are_known() -> None:
    assert [command.split()[1] for command in COMMANDS] == ["annotate", "annotate", "slice", "open"]


@pytest.mark.parametrize("command", COMMANDS[:3])
def test_the_commands_run(command: str, data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "kineto_b200_vllm_eager.json.gz", tmp_path / "trace.json.gz")
    _run_file(tmp_path / "run.json.gz")
    ranks.write(tmp_path / "traces", ranks.Plan(passes=2, layers=2))
    _run(command, tmp_path)
    assert (tmp_path / shlex.split(command)[-1]).is_file()


def test_the_query_gives_the_stages(tmp_path: Path) -> None:
    _run_file(tmp_path / "trace.json.gz")
    _run(COMMANDS[0], tmp_path)
    with perfetto(tmp_path / "ui") as ui, ui.loaded(tmp_path / "annotated.json.gz") as loaded:
        rows = loaded.ask(SQL)
    assert [(row["stage"], row["device_time_ns"]) for row in rows] == [("decode", 19 * 3000)]

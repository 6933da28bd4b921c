"""Every `tracer` command of docs/, run as it stands."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.typed import typed

DOCS = Path(__file__).parent.parent / "docs"
GITHUB = (DOCS / "github-actions.md").read_text()
KEPT_OR_NOT = (0, 3)  # on a busy machine two recordings may differ, and a gate then does its work


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def _workflow() -> dict[str, Any]:
    (block,) = _blocks(GITHUB, "yaml")
    workflow: dict[str, Any] = yaml.safe_load(block)
    return workflow


def _run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Type the commands of a script one after another, until one fails; what the last one gave."""
    for line in script.replace("\\\n", " ").splitlines():
        command, _, target = line.partition(" > ")
        program, *arguments = shlex.split(command)
        assert program == "tracer"
        assert not set(command.replace("<=", "")) & set("|&;<>$`()*"), "more of a shell than is typed here"
        done = typed(*arguments, folder=folder)
        if target:
            (folder / target).write_text(done.stdout)
        if done.returncode:
            break
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the baseline has been made and the workflow has run."""
    folder = tmp_path_factory.mktemp("docs")
    baseline = _run(_blocks(GITHUB, "sh")[0], folder)
    assert (baseline.returncode, baseline.stderr) == (0, "")
    (record,) = [step["run"] for step in _steps() if step.get("name") == "Record"]
    recorded = _run(record, folder)
    assert (recorded.returncode, recorded.stderr) == (0, "")
    return folder


def _steps() -> list[dict[str, Any]]:
    (job,) = _workflow()["jobs"].values()
    steps: list[dict[str, Any]] = job["steps"]
    return steps


def test_the_comparison_of_the_workflow_is_a_table_whatever_the_gates_say(folder: Path) -> None:
    (compare,) = [step["run"] for step in _steps() if step.get("name") == "Compare"]
    done = _run(compare, folder)
    assert done.returncode in KEPT_OR_NOT, done.stderr
    assert bool(done.stderr) == bool(done.returncode)
    table = (folder / "comparison.md").read_text()
    assert table.startswith("## tracer compare\n")
    assert "| <code>.tracer/baselines/main/001.json</code> |" in table
    assert "\n### gates\n" in table


@pytest.mark.parametrize("block", _blocks(GITHUB, "sh")[1:])
def test_the_other_commands_run(folder: Path, block: str) -> None:
    for command in block.splitlines():
        done = _run(command, folder)
        assert done.returncode in KEPT_OR_NOT, done.stderr
        assert done.stdout


def test_no_command_was_left_out() -> None:
    """What the tests above run, and what needs GitHub."""
    tried = [*_blocks(GITHUB, "sh"), *[step["run"] for step in _steps() if "run" in step]]
    assert sum(block.count("tracer ") for block in tried) == len(
        re.findall(r"\btracer (?:record|summarize|compare|baseline)\b", GITHUB)
    )
    rest = {step["name"] for step in _steps() if "run" in step} - {"Record", "Compare"}
    assert rest == {"Install", "Show", "Comment"}


def test_what_comes_from_a_pull_request_is_never_pasted_into_a_script() -> None:
    assert not [step["run"] for step in _steps() if "${{" in step.get("run", "")]

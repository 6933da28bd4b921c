"""Every command of the README, and of the pages that go on from it, typed as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest
from support.typed import typed

from reports.text import render
from tracer.saved import load_summary

ROOT = Path(__file__).parent.parent


PAGES = ("README.md", *(f"docs/{name}.md" for name in ("comparing", "reading", "recording", "tables", "tutorial")))


def _commands(page: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


TRACER = {page: [command for command in _commands(page) if command.startswith("tracer ")] for page in PAGES}


def test_every_kind_of_command_is_tried_here() -> None:
    """`make test` is what runs this test; the others are below."""
    rest = {command for page in PAGES for command in set(_commands(page)) - set(TRACER[page])}
    assert rest == {"make demo", "make test", "pip install ."}


def test_the_report_of_the_tutorial_is_what_the_saved_summary_reads_like() -> None:
    saved = load_summary(ROOT / "benchmarks/results/h200_eventgpt_7b/summary.json")
    saved = msgspec.structs.replace(saved, trace=msgspec.structs.replace(saved.trace, path="run.json.gz"))
    shown = re.search(r"```text\n(eventgpt 7b.*?)```", (ROOT / "docs/tutorial.md").read_text(), flags=re.DOTALL)
    assert shown is not None
    assert shown[1] == render(saved, width=80)


# By command: what it left, and what it said.
Recorded = dict[str, tuple[bytes, subprocess.CompletedProcess[str]]]


class Reader:
    """Types a page's commands into a folder, each once, and before it those whose files it reads.

    What another page has recorded by the same command is copied.
    """

    def __init__(self, folder: Path, page: str, recorded: Recorded) -> None:
        self._folder = folder
        self._recorded = recorded
        self._commands = TRACER[page]
        self._typed: dict[str, subprocess.CompletedProcess[str]] = {}

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the page, in its order where one needs another."""
        for earlier in self._commands[: self._commands.index(command)]:
            if _written(earlier) in shlex.split(command.partition(" > ")[0]):
                self.type(earlier)
        if command not in self._typed:
            self._typed[command] = self._known(command) or self._run(command)
        return self._typed[command]

    def _known(self, command: str) -> subprocess.CompletedProcess[str] | None:
        if not command.startswith("tracer record ") or command not in self._recorded:
            return None
        trace, done = self._recorded[command]
        (self._folder / str(_written(command))).write_bytes(trace)
        return done

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        asked = command
        command, _, target = command.partition(" > ")
        arguments = shlex.split(command)[1:]
        if "record" in arguments:
            arguments += ["--device", "cpu"]  # also where there is a GPU: the tests are about the command
        done = typed(*arguments, folder=self._folder)
        if target:
            (self._folder / target).write_text(done.stdout)
        if asked.startswith("tracer record ") and not done.returncode:
            self._recorded[asked] = ((self._folder / str(_written(asked))).read_bytes(), done)
        return done


def _written(command: str) -> str | None:
    """The file that a command leaves."""
    command, _, target = command.partition(" > ")
    words = shlex.split(command)
    if "--output" in words:
        return words[words.index("--output") + 1]
    return "run.json" if "record" in words else target or None


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    """Of each page one, with a folder of its own."""
    found: dict[str, Reader] = {}
    recorded: Recorded = {}
    for page in PAGES:
        folder = tmp_path_factory.mktemp("page")
        for name in ("tests", "benchmarks"):
            (folder / name).symlink_to(ROOT / name)
        found[page] = Reader(folder, page, recorded)
    return found


@pytest.mark.parametrize(("page", "command"), [(page, command) for page in PAGES for command in TRACER[page]])
def test_the_command_runs(readers: dict[str, Reader], page: str, command: str) -> None:
    done = readers[page].type(command)
    assert (done.returncode, [line for line in done.stderr.splitlines() if " row" not in line]) == (0, [])
    assert done.stdout or "export" in command


def test_make_demo_records_and_summarises(tmp_path: Path) -> None:
    told = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "demo", "BIN=bin", "INSTALLED="],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    for line in told.stdout.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "bin/tracer"
        done = typed(*arguments, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "stage" in done.stdout


def test_the_wheel_holds_the_three_packages_and_runs(tmp_path: Path) -> None:
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    source = tmp_path / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):  # a copy, so that no build folder is left in the tree
        if not name.startswith(("tests/", "benchmarks/")) and (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([*wheel, str(source)], check=True)
    (built,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(built).namelist()
    packaged = {name for name in names if ".dist-info/" not in name}
    shipped = {
        name for name in filter(None, tracked.split("\0")) if name.split("/")[0] in ("tracer", "model", "reports")
    }
    assert packaged == {name for name in shipped if (ROOT / name).exists()}
    site = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, built], check=True)
    done = subprocess.run(
        [sys.executable, "-c", "import tracer.cli.main as m, sys; sys.argv[1:] = ['models']; m.main()"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "eventgpt" in done.stdout

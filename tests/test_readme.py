"""Every command of the README, typed as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.typed import typed

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


def _commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


TRACER = [command for command in _commands() if command.startswith("tracer ")]


def test_every_kind_of_command_is_tried_here() -> None:
    """`make test` is what runs this test; the others are below."""
    rest = set(_commands()) - set(TRACER)
    assert rest == {"make demo", "make test", "pip install ."}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "tests").symlink_to(ROOT / "tests")
    return folder


@pytest.mark.parametrize("command", TRACER)
def test_the_command_runs(folder: Path, command: str) -> None:
    command, _, target = command.partition(" > ")
    arguments = shlex.split(command)[1:]
    if "record" in arguments:
        arguments += ["--device", "cpu"]  # also where there is a GPU: the tests are about the command
    done = typed(*arguments, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    if target:
        (folder / target).write_text(done.stdout)


def test_make_demo_records_and_summarises() -> None:
    done = subprocess.run(
        ["make", "demo", f"BIN={BIN}", "INSTALLED="], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "stage" in done.stdout
    (ROOT / "demo.json").unlink()


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

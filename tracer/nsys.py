"""Finding NVIDIA's `nsys` and having it do things."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tracer.document.errors import InputError, MissingError

PROGRAM = "nsys"
INSTALL = "install Nsight Systems (Debian: nsight-systems; or developer.nvidia.com/nsight-systems)"
_VERSION = re.compile(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?")


def find(path: Path | None = None) -> Path:
    """The program: at `path` (itself or the folder it is in), else on PATH.

    Raises:
        MissingError: it is not there.
    """
    if path is None:
        found = shutil.which(PROGRAM)
        if found is None:
            raise MissingError(f"no {PROGRAM} on PATH: {INSTALL}, or give --nsys-path")
        return Path(found)
    program = path / PROGRAM if path.is_dir() else path
    if not program.is_file() or not os.access(program, os.X_OK):
        raise MissingError(f"--nsys-path {path}: no program {PROGRAM} there")
    return program


def version(program: Path) -> tuple[int, int, int]:
    """Its version, as in (2023, 4, 4).

    Raises:
        MissingError: it does not run.
    """
    answer = run([program, "--version"])
    match = _VERSION.search(answer.stdout)
    if answer.returncode or match is None:
        raise MissingError(f"{program} --version does not say one: {last_line(answer)}")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def export(program: Path, report: Path, folder: Path) -> Path:
    """Convert a report to SQLite in a folder, and return the path of that.

    Raises:
        InputError: nsys refuses the report.
        MissingError: it does not run.
    """
    # nsys goes by names; the report's own may be anything.
    link, output = folder / "report.nsys-rep", folder / "report.sqlite"
    link.symlink_to(report.absolute())
    answer = run([program, "export", "--type", "sqlite", "--quiet", "true", "--output", output, link])
    if answer.returncode or not output.is_file():
        raise InputError(
            f"{report}: {program} cannot export it ({last_line(answer)}); a report needs an nsys at least as new"
        )
    return output


def run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, keeping what it prints.

    Raises:
        MissingError: it cannot be started.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise MissingError(f"{command[0]} cannot be started: {error.strerror}") from None


def last_line(answer: subprocess.CompletedProcess[str]) -> str:
    """The last thing a program said before it ended."""
    lines = [line.strip() for line in f"{answer.stdout}\n{answer.stderr}".splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {answer.returncode}"

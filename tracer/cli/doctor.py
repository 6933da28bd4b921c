"""`tracer doctor`: what will work on this machine, and what to do about the rest."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tracer.cli import options

MARKS = {"ok": ("✔", "green"), "note": ("•", "dim"), "warning": ("▲", "yellow"), "failure": ("✖", "bold red")}


def command(
    nsys_path: Annotated[Path | None, options.nsys_path("to look at")] = None,
) -> None:
    """Try what a recording needs, and say what to do about what does not work.

    Exits with 1 if tracer record would fail here.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Kineto reports every start and stop on stderr unless this is set before torch is loaded.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from tracer.recording.doctor import examine

    console = Console(highlight=False)
    failed = False
    for check in examine(nsys_path):
        mark, style = MARKS[check.status]
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        grid.add_column(width=14)
        grid.add_column(ratio=1)
        grid.add_row(Text(mark, style=style), check.subject, Text(check.found))
        if check.advice:
            grid.add_row("", "", Text(check.advice, style="dim"))
        with console.capture() as captured:
            console.print(grid)
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
        sys.stdout.flush()  # the next check may take seconds
        failed |= check.status == "failure"
    if failed:
        raise typer.Exit(1)

"""What verbs that print a report share: how it is rendered, and where it goes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tracer.cli.options import Format
from tracer.cli.streams import write
from tracer.document.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.blocks import Block

# As an output: standard output.
STDOUT = "-"


def check_output(path: Path | None, *, force: bool) -> None:
    """Refuse a file that could not be written at the end, before any work is done.

    Raises:
        UsageError: it is a folder, exists while `force` is off, or its folder is missing or may not be written to.
    """
    if path is None or str(path) == STDOUT:
        return
    if path.is_dir():
        raise UsageError(f"--output {path}: is a folder")
    if path.exists() and not force:
        raise UsageError(f"--output {path}: exists already; --force overwrites it")
    if not path.parent.is_dir():
        raise UsageError(f"--output {path}: no such folder as {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"--output {path}: {path.parent} is not writable")


def rendered(
    blocks: Sequence[Block], output_format: Format, *, heading: str, width: int | None, output: Path | None
) -> str:
    """A report as text or Markdown; text in colours where a terminal shows it."""
    if output_format is Format.MARKDOWN:
        from reports.render.markdown import render as render_markdown

        return render_markdown(blocks, heading=heading)
    from rich.console import Console

    from reports.render.text import render

    console = Console()
    return render(blocks, width=width or console.width, colours=console.color_system if output is None else None)


def put(text: str, output: Path | None, *, json: bool = False) -> None:
    """Print the text, or write it whole or not at all.

    Args:
        text: what.
        output: the file; standard output if None.
        json: whether it is JSON; see `streams.write`.

    Raises:
        InputError: the file cannot be written.
    """
    if output is None or str(output) == STDOUT:
        write(text, json=json)
        return
    from tracer.recording.write.output import atomic_writer

    try:
        if output.exists() and not output.is_file():  # a pipe or a device is no file to be replaced
            output.write_text(text, encoding="utf-8")
            return
        with atomic_writer(output) as file:
            file.write(text.encode())
    except OSError as error:
        raise InputError(f"--output {output}: {error.strerror or error}") from None

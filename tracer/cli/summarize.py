"""`tracer summarize`: say where the time in a trace went."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tracer.errors import UsageError


class Format(StrEnum):
    """How a summary is written."""

    TEXT = "text"
    JSON = "json"


def command(
    trace: Annotated[Path, typer.Argument(help="A Chrome trace, .json or .json.gz.", show_default=False)],
    output_format: Annotated[Format, typer.Option("--format", help="Text, or JSON for programs.")] = Format.TEXT,
    marker: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STAGE=REGEX",
            help="Take ranges whose name matches as this stage; a group is the token index. Repeatable.",
        ),
    ] = None,
    all_ranges: Annotated[
        bool, typer.Option("--all-ranges", help="List every annotation, not only the first 100.")
    ] = False,
) -> None:
    """Say where the time in a trace went: which stage, which token, which kernel, and what to do.

    Kernels belong to the stage whose range encloses their launch. Traces of vLLM and SGLang are understood
    as they are; in others, --marker says which ranges are the stages.
    """
    from tracer.analysis.pipeline import summarize_file

    summary = summarize_file(trace, patterns=_patterns(marker or []), all_ranges=all_ranges)
    if output_format is Format.JSON:
        from tracer.summary import encode

        sys.stdout.write(encode(summary).decode())
        return
    from rich.console import Console

    from reports.text import render

    console = Console()
    sys.stdout.write(render(summary, width=console.width, colours=console.color_system))


def _patterns(markers: list[str]) -> dict[str, str]:
    """Read STAGE=REGEX options.

    Raises:
        UsageError: an unknown stage, or no regular expression.
    """
    from tracer.analysis.stages import ALL_STAGES

    patterns = {}
    for marker in markers:
        stage, separator, pattern = marker.partition("=")
        if not separator or stage not in ALL_STAGES:
            raise UsageError(f"--marker {marker}: write STAGE=REGEX with a stage of {', '.join(ALL_STAGES)}")
        try:
            re.compile(pattern)
        except re.error as error:
            raise UsageError(f"--marker {marker}: not a regular expression ({error})") from None
        patterns[stage] = pattern
    return patterns

"""Options that several verbs have, each declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

DTYPES = ("float32", "bfloat16", "float16")


class Sort(StrEnum):
    """By what tables of kernels, operators and ranges are sorted."""

    TIME = "time"
    OPS = "ops"
    NAME = "name"


class Format(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


OutputFormat = Annotated[
    Format, typer.Option("--format", help="Text, JSON for programs, or Markdown for a pull request.")
]
Budgets = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME<=LIMIT",
        help="Exit with 3 if a stage, request, ttft or tpot takes more: 'vision<=5%' (of the request), 'tpot<=20ms', "
        "'joules/token<=2'. Several may follow; quote them.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write to this file instead of standard output.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite the output.")]
Width = Annotated[int | None, typer.Option(min=20, max=1000, help="Columns of text. [default: the terminal's]")]
Top = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Rows of each table of kernels, operators or ranges. [default: 12 to 15]"),
]
Stage = Annotated[
    str | None,
    typer.Option(metavar="STAGE", help="Of tables with a row a stage, this stage alone.", show_default=False),
]
Jobs = Annotated[int | None, typer.Option(min=1, max=64, help="Processes to read with. [default: by the file's size]")]
NoLimit = Annotated[
    bool,
    typer.Option(
        "--no-limit", help="Lift the limits on what a file may unpack to, and take in memory: docs/limits.md."
    ),
]
PeakTflops = Annotated[
    float | None,
    typer.Option(min=0.001, help="Peak dense TFLOP/s of the device. [default: measured, else its data sheet]"),
]
PeakGbs = Annotated[
    float | None,
    typer.Option(min=0.001, help="Peak memory bandwidth in GB/s. [default: measured, else its data sheet]"),
]


def offering(*choices: str) -> Callable[[str], list[str]]:
    """What a shell completes an option with: the choices that begin as what was typed does."""

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete


def nsys_path(purpose: str, panel: str | None = None) -> Any:
    """`--nsys-path`, which says what that nsys is for.

    Args:
        purpose: "to use", for example.
        panel: of the help.
    """
    return typer.Option(help=f"The nsys {purpose}. [default: the one on PATH]", rich_help_panel=panel)


NsysPath = Annotated[Path | None, nsys_path("that reads .nsys-rep files")]

Markers = Annotated[
    list[str] | None,
    typer.Option(
        "--marker",
        metavar="STAGE=REGEX",
        help="Take ranges whose name matches as this stage (of several models MODEL/STAGE); a group is the token "
        "index. Repeatable.",
    ),
]
AnyThread = Annotated[
    bool,
    typer.Option(
        "--any-thread",
        help="Give launches of threads without ranges (a backward pass) to the stage open on another thread.",
    ),
]
Solo = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODEL=TRACE",
        help="Of several models at once, the trace of this one alone, for comparison. Repeatable.",
    ),
]


def device(panel: str | None = None) -> Any:
    """`--device`, in a panel of the help."""
    return typer.Option(
        help="cpu, cuda or cuda:N. [default: cuda if there is one]",
        autocompletion=offering("cpu", "cuda", "cuda:0"),
        rich_help_panel=panel,
    )


def dtype(panel: str | None = None) -> Any:
    """`--dtype`, in a panel of the help."""
    return typer.Option(
        help=f"{', '.join(DTYPES)}. [default: bfloat16 on a GPU, else float32]",
        autocompletion=offering(*DTYPES),
        rich_help_panel=panel,
    )

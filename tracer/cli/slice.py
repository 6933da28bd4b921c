"""`tracer slice`: a part of a trace, as a trace of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from tracer.cli.options import Force, Jobs, NoLimit, offering
from tracer.document.errors import UsageError
from tracer.document.names import ALL_STAGES


def command(
    trace: Annotated[Path, typer.Argument(help="A Chrome trace (.json, also .gz, .zst or .zip).", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Trace to write, .json or .json.gz.", show_default=False)
    ],
    request: Annotated[
        int | None, typer.Option(min=0, help="Of this request, by its number.", show_default=False)
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option(
            metavar="START:STOP", help="Decode steps from START up to STOP, not included.", show_default=False
        ),
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option(help="Only this stage. Repeatable.", autocompletion=offering(*ALL_STAGES), show_default=False),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CATEGORY",
            help="Leave out events of this category, as python_function, which are most of a file. Repeatable.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    jobs: Jobs = None,
    no_limit: NoLimit = False,
) -> None:
    """Cut a part out of a trace: some decode steps, a stage, a request.

    The part is a trace of its own, with its times, arrows and metadata as they were, and what else ran on the device
    beside it. Summarised, its stages have the figures that they have in the whole; that is checked before it is
    written.

    Example:

    tracer slice run.json.gz --request 1 --tokens 8:16 --drop python_function -o small.json.gz
    """
    from tracer.choices import Choices
    from tracer.perfetto.asked import Asked
    from tracer.perfetto.slice import cut_out
    from tracer.recording.write.output import check_output
    from tracer.trace.limits import limits

    asked = Asked(request, _steps(tokens), _stages(stage or []))
    if asked == Asked():
        raise UsageError("say which part: --request, --tokens or --stage")
    check_output(output, force=force)
    choices = Choices(jobs=jobs, limits=limits(lifted=no_limit))
    count = cut_out(trace, output, asked, choices, drop=drop or [])
    ranges = f"{count:,} range{'s' if count > 1 else ''} of stages"
    typer.echo(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB): {ranges}, with the figures of the whole")


def _steps(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text, re.ASCII)
    if match is None or int(match[1]) >= int(match[2]):
        raise UsageError(f"--tokens {text}: write START:STOP, as in 8:16")
    return int(match[1]), int(match[2])


def _stages(names: list[str]) -> tuple[str, ...]:
    for name in names:
        if name not in ALL_STAGES:
            raise UsageError(f"--stage {name}: no such stage; there are {', '.join(ALL_STAGES)}")
    return tuple(names)

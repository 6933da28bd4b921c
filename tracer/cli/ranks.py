"""`tracer ranks`: the ranks of one run beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracer.cli.options import Force, Format, Jobs, Markers, NoLimit, NsysPath, Output, OutputFormat, Width
from tracer.cli.printed import check_output, put, rendered
from tracer.cli.summarize import patterns_of


def command(
    traces: Annotated[
        list[Path], typer.Argument(help="The folder of a run's traces, or the trace of each rank.", show_default=False)
    ],
    output_format: OutputFormat = Format.TEXT,
    marker: Markers = None,
    output: Output = None,
    force: Force = False,
    width: Width = None,
    jobs: Jobs = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a torn file instead of reading it up to its last whole event.")
    ] = False,
    nsys_path: NsysPath = None,
    no_limit: NoLimit = False,
) -> None:
    """Say which rank the others wait for, and why: its host, its device, or the network.

    Collectives are matched over the traces of one run's ranks, and each one's time is divided into waiting for the
    last rank and transfer. A single rank's trace cannot tell one from the other. tracer report draws it.

    Example:

    tracer ranks traces/
    """
    check_output(output, force=force)
    from tracer.choices import Choices
    from tracer.ranks.analyse import analyse
    from tracer.ranks.files import of_paths
    from tracer.trace.limits import limits

    choices = Choices(
        patterns=patterns_of(marker or []),
        jobs=jobs,
        strict=strict,
        nsys=nsys_path,
        limits=limits(lifted=no_limit),
    )
    found = analyse(of_paths(traces), choices)
    if output_format is Format.JSON:
        from tracer.document.ranks import encode

        put(encode(found).decode(), output, json=True)
        return
    from reports.document import of_ranks

    put(rendered(of_ranks(found), output_format, heading="tracer ranks", width=width, output=output), output)

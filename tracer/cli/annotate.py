"""`tracer annotate`: the stages as tracks of a trace, for Perfetto."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracer.cli.options import Force, Jobs, NoLimit


def command(
    trace: Annotated[Path, typer.Argument(help="A Chrome trace (.json, also .gz, .zst or .zip).", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Trace to write, .json or .json.gz.", show_default=False)
    ],
    force: Force = False,
    jobs: Jobs = None,
    no_limit: NoLimit = False,
) -> None:
    """Add tracks to a trace that show in Perfetto what summarize says: stages, idle times, counters, findings.

    No event of the trace is changed. Tracks that are there already, as record writes them, are made anew.
    """
    from tracer.choices import Choices
    from tracer.cli.streams import tell
    from tracer.perfetto.annotate import annotate
    from tracer.recording.write.output import check_output
    from tracer.trace.limits import limits

    check_output(output, force=force)
    added = annotate(trace, output, Choices(jobs=jobs, limits=limits(lifted=no_limit)))
    if added.torn:
        tell(f"{trace}: cut off; {output} ends behind its last whole event")
    typer.echo(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB), which opens in https://ui.perfetto.dev")

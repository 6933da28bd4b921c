"""`tracer annotate`: the stages as tracks of a trace, for Perfetto."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import Force, Jobs, NoLimit

# So many ranks are named one by one.
SHOWN = 8

if TYPE_CHECKING:
    from tracer.choices import Choices


def command(
    trace: Annotated[
        list[Path],
        typer.Argument(
            help="A Chrome trace (.json, also .gz, .zst or .zip); with --merge one of each rank, or their folder.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Trace to write, .json or .json.gz.", show_default=False)
    ],
    merge: Annotated[
        bool, typer.Option("--merge", help="Put the ranks of one run on one timeline, in one file.")
    ] = False,
    force: Force = False,
    jobs: Jobs = None,
    no_limit: NoLimit = False,
) -> None:
    """Add tracks to a trace that show in Perfetto what summarize says: stages, idle times, counters, findings.

    No event of the trace is changed. Tracks that are there already, as record writes them, are made anew.

    With --merge, the traces of the ranks of one run are written into one file, each with its tracks: their clocks are
    aligned as tracer ranks does it, their processes named by rank.
    """
    from tracer.choices import Choices
    from tracer.cli.streams import tell
    from tracer.document.errors import UsageError
    from tracer.recording.write.output import check_output
    from tracer.trace.limits import limits

    check_output(output, force=force)
    choices = Choices(jobs=jobs, limits=limits(lifted=no_limit))
    if merge:
        _merge(trace, output, choices)
    elif len(trace) > 1:
        raise UsageError(f"{len(trace)} traces: --merge puts the ranks of one run into one file")
    else:
        from tracer.perfetto.annotate import annotate

        added = annotate(trace[0], output, choices)
        if added.torn:
            tell(f"{trace[0]}: cut off; {output} ends behind its last whole event")
        if added.lacking:
            tell(f"{trace[0]}: {added.lacking}")
    typer.echo(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB), which opens in https://ui.perfetto.dev")


def _merge(traces: list[Path], output: Path, choices: Choices) -> None:
    """Write the file, and say what a person who looks at it has to know."""
    from tracer.cli.streams import tell
    from tracer.document.words import counted, duration
    from tracer.perfetto.merge import merge
    from tracer.ranks.files import of_paths

    found = merge(of_paths(traces), output, choices)
    for path in found.torn:
        tell(f"{path}: cut off; {output} has it up to its last whole event")
    if found.left_out:
        tell(f"{counted(found.left_out, 'text')} that can be read as no event left out")
    if found.missing:
        more = ", ..." if len(found.missing) > SHOWN else ""
        tell(f"no trace of rank {', '.join(map(str, found.missing[:SHOWN]))}{more}")
    if found.apart:
        first = found.ranks[0]
        which = ", ".join(map(str, found.apart))
        tell(f"no collective joins rank {which} to rank {first}: how their times lie to each other is not known")
    clock = "" if found.residual_ns is None else f", clocks alike to {duration(found.residual_ns)}"
    which = f"{len(found.ranks)} ranks" if len(found.ranks) > SHOWN else f"ranks {', '.join(map(str, found.ranks))}"
    typer.echo(f"{which}: {found.events:,} events on one timeline{clock}")

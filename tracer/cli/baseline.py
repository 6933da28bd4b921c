"""`tracer baseline`: keep recordings under a name, to compare later ones with."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import Force, Jobs, NoLimit, NsysPath
from tracer.document.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Action(StrEnum):
    """What to do with a baseline."""

    SAVE = "save"
    LIST = "list"
    REMOVE = "remove"


def command(
    action: Annotated[Action, typer.Argument(help="What to do.", show_default=False)],
    name: Annotated[
        str | None,
        typer.Argument(help="Of the baseline: letters, digits, '.', '_' and '-'.", show_default=False),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="To save: a trace or a saved summary; several are recordings of the same run.", show_default=False
        ),
    ] = None,
    force: Force = False,
    jobs: Jobs = None,
    nsys_path: NsysPath = None,
    no_limit: NoLimit = False,
) -> None:
    """Keep recordings under a name in .tracer/baselines of this folder; tracer compare FILE --against NAME reads them.

    Summaries are kept, not traces: a few dozen kilobytes each, which can be committed.

    Examples:

    tracer baseline save main run.json.gz

    tracer compare new.json.gz --against main --tolerance 3%
    """
    from tracer.cli import kept

    if action is Action.LIST:
        if name is not None:
            raise UsageError("baseline list takes no name")
        typer.echo(_listed(), nl=False)
        return
    if name is None:
        raise UsageError(f"baseline {action} takes a name: tracer baseline {action} main")
    if action is Action.REMOVE:
        if files:
            raise UsageError("baseline remove takes a name and no files")
        typer.echo(f"removed {kept.remove(name)}")
        return
    if not files:
        raise UsageError(f"baseline save takes a name and files: tracer baseline save {name[:80]} run.json.gz")
    kept.folder_of(name)  # before files are read that may be large
    typer.echo(_saved(name, files, force=force, jobs=jobs, nsys_path=nsys_path, no_limit=no_limit))


def _saved(
    name: str, files: Sequence[Path], *, force: bool, jobs: int | None, nsys_path: Path | None, no_limit: bool
) -> str:
    from tracer.cli import kept
    from tracer.compare.order import refuse_repeated
    from tracer.document.summary import require_read
    from tracer.saved import load_summary
    from tracer.summarize import Choices
    from tracer.trace.limits import limits

    # Traces without stages are compared by kernels.
    choices = Choices(jobs=jobs, nsys=nsys_path, by="kernel", limits=limits(lifted=no_limit))
    summaries = [load_summary(path, choices) for path in files]
    for summary in summaries:
        require_read(summary.trace.path, summary.abstained)
    refuse_repeated(summaries)
    folder = kept.save(name, summaries, force=force)
    return f"kept in {folder}\nnext: tracer compare FILE --against {name}"


def _listed() -> str:
    """A line a baseline: its name, how many recordings it has, and of what; of one that is damaged, that."""
    from reports.units import counted, printable
    from tracer.cli import kept
    from tracer.saved import load_summary

    lines = []
    for name in kept.names():
        there = list(kept.files(name))
        try:
            run = load_summary(there[0]).run or {}
            words = [str(run[key]) for key in ("model", "size", "dtype", "device") if run.get(key)]
        except InputError as error:
            words = [f"cannot be read: {error}"]
        lines.append(f"{name}  {counted(len(there), 'recording')}  {printable(' '.join(words))}".rstrip())
    return "".join(f"{line}\n" for line in lines) or f"no baselines in {kept.ROOT}\n"

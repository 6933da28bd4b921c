"""`tracer compare`: say where runs differ, and whether that exceeds the noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.gated import refuse, tell_failed
from tracer.cli.options import Budgets, Force, Format, Jobs, NoLimit, NsysPath, Output, OutputFormat, Top, Width
from tracer.cli.printed import check_output, put, rendered
from tracer.document.errors import InputError, UsageError

if TYPE_CHECKING:
    from tracer.document.comparison import Comparison


def command(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Two or more: traces, or summaries saved by tracer summarize --format json. The first is the "
            "baseline. With --against one or more.",
            show_default=False,
        ),
    ],
    output_format: OutputFormat = Format.TEXT,
    tolerance: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            help="Drift between recordings to allow for. Without it one recording of each run shows no difference.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The baseline: one that tracer baseline save has kept. Of several recordings, as many of each run.",
            show_default=False,
        ),
    ] = None,
    recordings: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Recordings of each run: the files are taken N by N, and N are tested against N. Where runs were "
            "recorded in turns, drift between recordings is noise and claims nothing.",
        ),
    ] = 1,
    budget: Budgets = None,
    max_regression: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            help="Exit with 3 if anything is slower than the baseline by more, beyond the noise, or if that cannot be "
            "judged.",
            show_default=False,
        ),
    ] = None,
    top: Top = None,
    output: Output = None,
    force: Force = False,
    width: Width = None,
    jobs: Jobs = None,
    nsys_path: NsysPath = None,
    no_limit: NoLimit = False,
) -> None:
    """Compare runs stage by stage, token by token and kernel by kernel.

    A difference counts only where a permutation test over the requests still sees it beyond the drift that is
    allowed for between recordings. Figures per token make models comparable that answer at different lengths.
    Budgets hold for every file but the baseline.
    """
    files, recordings = _runs(files, against, recordings)
    check_output(output, force=force)
    from tracer.compare.gates import check_budgets, check_regressions, parse_budget, parse_percent
    from tracer.compare.pairs import compare
    from tracer.saved import load_summary
    from tracer.summarize import Choices
    from tracer.trace.limits import limits

    budgets = [parse_budget(text) for text in budget or []]
    limit = None if max_regression is None else parse_percent("--max-regression", max_regression)
    allowed = None if tolerance is None else parse_percent("--tolerance", tolerance)
    for path in files:
        if path.is_dir():
            raise InputError(f"{path}: a folder; name the trace in it")
    # Traces without stages are compared by kernels.
    choices = Choices(jobs=jobs, nsys=nsys_path, by="kernel", limits=limits(lifted=no_limit))
    summaries = [load_summary(path, choices) for path in files]
    found = compare(summaries, tolerance=allowed, recordings=recordings, apart=against is not None)
    gates, unknown = [], None
    for summary in summaries[recordings:]:
        for asked in budgets:
            try:
                gates += check_budgets(summary, [asked], beside=True)
            except InputError as error:  # the table may say why, and others can be judged
                unknown = unknown or error
    if limit is not None:
        gates += check_regressions(found, limit)
    import msgspec

    found = msgspec.structs.replace(found, gates=gates)
    text = text_of(found, output_format, heading="tracer compare", top=top, width=width, output=output)
    put(text, output, json=output_format is Format.JSON)
    if unknown is not None:
        tell_failed(gates)
        raise unknown
    refuse(gates)


def _runs(files: list[Path], against: str | None, recordings: int) -> tuple[list[Path], int]:
    """All files, those of the baseline first, and how many of them are of each run.

    Raises:
        InputError: there is no such baseline.
        UsageError: they are not two runs or more of so many each.
    """
    if against is None:
        if len(files) < 2:
            raise UsageError("compare takes two files or more; the first is the baseline")
        if len(files) % recordings or len(files) < 2 * recordings:
            raise UsageError(f"--recordings {recordings}: {len(files)} files are not two runs or more of so many each")
        return files, recordings
    from tracer.cli import kept

    baseline = kept.found(against)
    if recordings not in (1, len(baseline)):
        raise UsageError(f"--recordings {recordings}: the baseline {against} has {len(baseline)}")
    if len(files) % len(baseline):
        raise UsageError(
            f"--against {against}: it has {len(baseline)} recordings, so each run compared with it takes as many "
            f"files; there {'is' if len(files) == 1 else 'are'} {len(files)}"
        )
    return [*baseline, *files], len(baseline)


def text_of(
    found: Comparison,
    output_format: Format,
    *,
    heading: str,
    top: int | None,
    width: int | None,
    output: Path | None = None,
) -> str:
    """A comparison as it is printed."""
    if output_format is Format.JSON:
        from tracer.document.comparison import encode

        return encode(found).decode()
    from reports.asked import Asked
    from reports.document import of_comparison

    blocks = of_comparison(found, Asked(top=top))
    return rendered(blocks, output_format, heading=heading, width=width, output=output)

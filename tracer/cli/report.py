"""`tracer report`: one page to look at, and to show to others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import AnyThread, Force, Jobs, Markers, NoLimit, NsysPath, PeakGbs, PeakTflops, Solo
from tracer.cli.printed import STDOUT, check_output, put
from tracer.cli.streams import write
from tracer.cli.summarize import patterns_of, solos_of
from tracer.document.errors import InputError, UsageError

if TYPE_CHECKING:
    from tracer.choices import Choices
    from tracer.document.summary import Summary
    from tracer.document.timeline import Timeline
    from tracer.timeline.draw import Most


def command(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Traces, or summaries saved by tracer summarize --format json, which have no timeline. Of several the "
            "first is the baseline of a comparison. Or the folder of one run's ranks.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Write the page to this file; - is standard output.")
    ] = Path("report.html"),
    force: Force = False,
    marker: Markers = None,
    any_thread: AnyThread = False,
    peak_tflops: PeakTflops = None,
    peak_gbs: PeakGbs = None,
    solo: Solo = None,
    jobs: Jobs = None,
    nsys_path: NsysPath = None,
    no_limit: NoLimit = False,
) -> None:
    """Write one HTML page: where the time goes, a timeline down to one kernel, and what to do.

    The page needs no network and no other file, and may load none. It opens in any browser of the last years.
    """
    check_output(output, force=force)
    from tracer.choices import Choices
    from tracer.timeline.draw import Most
    from tracer.trace.limits import limits

    choices = Choices(
        patterns=patterns_of(marker or []),
        any_thread=any_thread,
        peak_tflops=peak_tflops,
        peak_gbs=peak_gbs,
        # Traces without stages are compared by kernels.
        by="kernel" if len(files) > 1 else None,
        jobs=jobs,
        nsys=nsys_path,
        limits=limits(lifted=no_limit),
        solos=solos_of(solo or []),
    )
    if choices.solos and (len(files) > 1 or files[0].is_dir()):
        raise UsageError("--solo is of one trace of several models; each of its models has a trace of its own there")
    if len(files) == 1 and files[0].is_dir():
        text = _ranks(files[0], choices)
    else:
        _refuse_folders(files)
        most = Most().shared_by(len(files))
        text = _page([_read(path, choices, most) for path in files])
    put(text, output, json=True)
    if str(output) != STDOUT:
        write(f"{output}, {len(text.encode()) / 1e6:.1f} MB: open it in a browser\n")


def _refuse_folders(files: list[Path]) -> None:
    for path in files:
        if path.is_dir():
            raise InputError(f"{path}: a folder; name the trace in it")


def _ranks(folder: Path, choices: Choices) -> str:
    """The page on a folder of ranks.

    Raises:
        InputError: it has none, or they are not of one run.
    """
    from tracer.trace.folder import several_ranks

    try:
        several = several_ranks(folder)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    if not several:
        _refuse_folders([folder])
    from reports.page.ranks import render
    from tracer.ranks.analyse import analyse
    from tracer.ranks.files import of_paths

    return render(analyse(of_paths([folder]), choices))


def _read(path: Path, choices: Choices, most: Most) -> tuple[Summary, Timeline | None]:
    """The summary of a trace and its timeline, or a saved summary, which has none.

    Raises:
        InputError: the file is neither.
        UsageError: it is the latter, and is to be held against other traces.
    """
    from tracer.saved import saved_summary
    from tracer.summarize import charge, frames_of, read, summarize_charged
    from tracer.timeline.draw import NEEDS, timeline_of
    from tracer.trace.source import Source

    with Source(path, choices.limits) as source:
        saved = saved_summary(source)
        if saved is not None:
            if choices.solos:
                raise UsageError(f"{path}: a saved summary, which has what --solo said when it was made")
            return saved, None
        trace = read(source, choices, also=NEEDS)
        charged = charge(trace, choices)
        summary = summarize_charged(charged, choices, frames=frames_of(source, trace, choices))
    return summary, timeline_of(charged, summary, most)


def _page(found: list[tuple[Summary, Timeline | None]]) -> str:
    from reports.asked import Asked
    from reports.document import of_comparison
    from reports.page.page import render
    from reports.page.shown import Page, Shown

    shown = tuple(Shown(number, *one) for number, one in enumerate(found))
    if len(shown) == 1:
        return render(Page(shown))
    from tracer.compare.pairs import compare

    comparison = compare([summary for summary, _ in found])
    return render(Page(shown, comparison), of_comparison(comparison, Asked()))

"""`tracer summarize`: say where the time in a trace went."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated

import typer

import tracer.measure.by as folder
from tracer.cli.gated import refuse
from tracer.cli.options import (
    AnyThread,
    Budgets,
    Force,
    Format,
    Jobs,
    Markers,
    NoLimit,
    NsysPath,
    Output,
    OutputFormat,
    PeakGbs,
    PeakTflops,
    Solo,
    Sort,
    Stage,
    Top,
    Width,
)
from tracer.cli.printed import check_output, put, rendered
from tracer.cli.streams import tell
from tracer.document.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.choices import Choices
    from tracer.document.comparison import Gate
    from tracer.document.summary import Summary


# The first of the ways in which time can be broken down, as help lists them.
ORDER = ("op", "module", "layer", "kernel", "category", "stream", "host")
# Those that ask where work was launched.
LAUNCHED_FROM = ("op", "module", "layer")
# Choices whose options have other names.
OPTIONS = {"patterns": "--marker", "nsys": "--nsys-path", "solos": "--solo"}
# What reading a saved summary heeds too.
HEEDED = ("limits",)


def _ways() -> dict[str, str]:
    """What time can be broken down by: a file each in `tracer.measure.by`, found by being there."""
    found = sorted(one.name for one in iter_modules(folder.__path__))
    names = [*[name for name in ORDER if name in found], *[name for name in found if name not in ORDER]]
    return {name.upper(): name for name in names}


if TYPE_CHECKING:
    By = StrEnum
else:
    By = StrEnum("By", _ways())


def command(
    trace: Annotated[
        Path,
        typer.Argument(
            help="A Chrome trace (.json, also .gz, .zst or .zip), an Nsight report (.nsys-rep, .sqlite), "
            "a profiler's output folder, a summary saved by --format json, or - for standard input.",
            show_default=False,
        ),
    ],
    output_format: OutputFormat = Format.TEXT,
    budget: Budgets = None,
    by: Annotated[
        By | None,
        typer.Option(
            help="Break each stage's time down by this: the device's, or by host the host's.", show_default=False
        ),
    ] = None,
    marker: Markers = None,
    all_ranges: Annotated[bool, typer.Option("--all-ranges", help="List every range, not only the first 100.")] = False,
    any_thread: AnyThread = False,
    steady: Annotated[
        bool,
        typer.Option(
            "--steady",
            help="Of a server's trace the steady part alone: the longest stretch of decoding steps of which 9 in 10 "
            "hold the most common batch within 10 %. What is left out is counted.",
        ),
    ] = False,
    clip_overlaps: Annotated[
        bool,
        typer.Option("--clip-overlaps", help="Cut ops that overlap the next on their stream at its start."),
    ] = False,
    shapes: Annotated[
        bool,
        typer.Option(
            "--shapes",
            help="Say what limits each stage by the shapes of its operators, if they were recorded (record_shapes).",
        ),
    ] = False,
    peak_tflops: PeakTflops = None,
    peak_gbs: PeakGbs = None,
    top: Top = None,
    sort: Annotated[Sort, typer.Option(help="Sort tables of kernels, operators and ranges by this.")] = Sort.TIME,
    stage: Stage = None,
    request: Annotated[
        int | None, typer.Option(min=0, help="Of the trace, this request alone, by its number in the trace.")
    ] = None,
    solo: Solo = None,
    capture: Annotated[
        Path | None,
        typer.Option(
            metavar="TRACE",
            help="Of a trace that replays CUDA graphs, one of their capture, or of the warm-up before it: "
            "--by op, module and layer then know where their kernels were launched.",
            show_default=False,
        ),
    ] = None,
    output: Output = None,
    force: Force = False,
    width: Width = None,
    rank: Annotated[int | None, typer.Option(min=0, help="Of a folder, the newest trace of this rank.")] = None,
    jobs: Jobs = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a torn file instead of reading it up to its last whole event.")
    ] = False,
    nsys_path: NsysPath = None,
    no_limit: NoLimit = False,
) -> None:
    """Say where the time in a trace went: which stage, which token, which kernel, and what to do.

    Kernels belong to the stage whose range encloses their launch. Traces of vLLM, SGLang and transformers' generate are
    understood as they are, others by what repeats in them; where neither tells, --marker says which ranges are stages.
    """
    gates = _gates(budget or [])
    check_output(output, force=force)
    _check_capture(capture, by)
    from tracer.choices import Choices
    from tracer.trace.limits import limits

    choices = Choices(
        patterns=patterns_of(marker or []),
        all_ranges=all_ranges,
        any_thread=any_thread,
        steady=steady,
        clip_overlaps=clip_overlaps,
        by=None if by is None else by.value,
        shapes=shapes,
        request=request,
        peak_tflops=peak_tflops,
        peak_gbs=peak_gbs,
        jobs=jobs,
        strict=strict,
        nsys=nsys_path,
        limits=limits(lifted=no_limit),
        capture=capture,
        solos=solos_of(solo or []),
    )
    summary, saved = _summary(trace, rank, choices)
    checked = gates(summary)
    if output_format is Format.JSON:
        from tracer.document.summary import encode

        put(encode(summary).decode(), output, json=True)
    else:
        from reports.asked import Asked
        from reports.document import of_summary

        rows = len(summary.ranges) if all_ranges and not top else top
        _check_stage(stage, summary)
        blocks = of_summary(summary, Asked(gates=checked, top=rows, saved=saved, stage=stage, sort=sort.value))
        put(rendered(blocks, output_format, heading="tracer summarize", width=width, output=output), output)
    refuse(checked)


def _summary(trace: Path, rank: int | None, choices: Choices) -> tuple[Summary, bool]:
    """Read the trace, or the summary that was saved of it, and which of both it was: whether it was saved.

    Raises:
        UsageError: a saved summary was asked for what only its trace has.
        InputError: it is neither.
    """
    from tracer.choices import Choices
    from tracer.saved import saved_summary
    from tracer.summarize import summarize_source
    from tracer.trace.source import Source

    path = _choose(trace, rank)
    with Source(path, choices.limits) as source:
        saved = saved_summary(source)
        if saved is None:
            return summarize_source(source, choices), False
    if saved.breakdown is not None and choices.by == saved.breakdown.by:
        choices = replace(choices, by=None)
    plain = Choices()
    chosen = [one.name for one in fields(Choices) if getattr(choices, one.name) != getattr(plain, one.name)]
    needed = [OPTIONS.get(name, f"--{name.replace('_', '-')}") for name in chosen if name not in HEEDED]
    if needed:
        raise UsageError(
            f"{', '.join(needed)}: {saved.trace.path} is a saved summary; give the trace that it was made of"
        )
    return saved, True


def _check_stage(stage: str | None, summary: Summary) -> None:
    """Refuse a stage that the trace does not have.

    Raises:
        InputError: its work is not read.
        UsageError: it has none of that name.
    """
    found = [one.stage for one in summary.stages]
    if stage is not None and stage not in found:
        from tracer.document.summary import require_read

        require_read(summary.trace.path, summary.abstained)
        there = f"it has {', '.join(found)}" if found else "it has none"
        raise UsageError(f"--stage {stage}: no such stage in {summary.trace.path}; {there}")


def _check_capture(capture: Path | None, by: By | None) -> None:
    """Refuse a capture that would change nothing.

    Raises:
        UsageError: nobody asks where work was launched.
    """
    if capture is not None and (by is None or by.value not in LAUNCHED_FROM):
        raise UsageError(
            f"--capture {capture}: it tells where kernels in graphs were launched; add --by op, module or layer"
        )


def _gates(budgets: list[str]) -> Callable[[Summary], list[Gate]]:
    """What holds a summary to its budgets; they are read at once, before the trace is.

    Raises:
        UsageError: one of them is none.
    """
    if not budgets:
        return lambda _: []
    from tracer.compare.gates import check_budgets, parse_budget

    parsed = [parse_budget(text) for text in budgets]
    return lambda summary: check_budgets(summary, parsed)


def _choose(path: Path, rank: int | None) -> Path:
    """The trace that a path means: itself, or the newest in a folder, which is then named on stderr.

    Raises:
        UsageError: a rank was given for a file.
        InputError: the folder has no such trace.
    """
    if not path.is_dir():
        if rank is not None:
            raise UsageError(f"--rank {rank}: {path} is not a folder")
        return path
    from tracer.trace.folder import choose_trace, several_ranks

    chosen, found = choose_trace(path, rank)
    which = "the only one" if found == 1 else f"the newest of {found}"
    tell(f"reading {chosen}, {which}{'' if rank is None else f' of rank {rank}'}")
    if rank is None and several_ranks(path):
        tell(f"{path} has several ranks: tracer ranks {path} says which of them the others wait for")
    return chosen


def solos_of(given: list[str]) -> dict[str, Path]:
    """Read MODEL=TRACE options.

    Raises:
        UsageError: one is not of that form.
    """
    from tracer.document.names import is_role

    found = {}
    for one in given:
        role, separator, path = one.partition("=")
        if not separator or not path or not is_role(role):
            raise UsageError(
                f"--solo {one}: write MODEL=TRACE, the model's name with letters, digits, `_`, `.` and `-`"
            )
        found[role] = Path(path)
    return found


def patterns_of(markers: list[str]) -> dict[str, str]:
    """Read STAGE=REGEX options.

    Raises:
        UsageError: an unknown stage, or no regular expression.
    """
    from tracer.document.names import ALL_STAGES, is_role

    patterns = {}
    for marker in markers:
        stage, separator, pattern = marker.partition("=")
        role, of_role, own = stage.rpartition("/")
        if not separator or own not in ALL_STAGES or (of_role and not is_role(role)):
            raise UsageError(f"--marker {marker}: write STAGE=REGEX with a stage of {', '.join(ALL_STAGES)}")
        try:
            re.compile(pattern)
        except re.error as error:
            raise UsageError(f"--marker {marker}: not a regular expression ({error})") from None
        patterns[stage] = pattern
    return patterns

"""`tracer critical-path`: what bounds a range, by HolisticTraceAnalysis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracer.document.errors import InputError, MissingError, UsageError

if TYPE_CHECKING:
    from tracer.document.summary import Summary

TOP_EVENTS, SHOWN = 10, 5
# HTA's words for time in which nothing of the path runs.
GAPS = {
    "gpu_kernel_kernel_overhead": "gap on the device after",
    "gpu_kernel_launch_overhead": "gap between launch and start of a kernel",
}
BOUNDS = {
    "gpu_kernel_kernel_overhead": "gaps between kernels",
    "gpu_kernel_launch_overhead": "gaps between launch and kernel",
}


def command(
    trace: Annotated[Path, typer.Argument(help="A Chrome trace (.json, .json.gz).", show_default=False)],
    name: Annotated[str, typer.Option("--range", help="The range to look at: its name, or how it begins.")] = (
        "tracer/request"
    ),
    instance: Annotated[int, typer.Option(min=0, help="Which of the ranges of that name, in order.")] = 0,
) -> None:
    """Find the critical path through a range: the chain of operators, launches and kernels that nothing overlaps.

    The path and its breakdown are HolisticTraceAnalysis' own (pip install '.[hta]'), in whole microseconds.
    """
    from importlib.util import find_spec

    if find_spec("hta") is None:
        raise MissingError("critical-path needs HolisticTraceAnalysis: pip install '.[hta]'")
    if not trace.is_file():
        raise InputError(f"{trace}: no such file")
    _check(trace, name, instance)
    _show(_path(trace, name, instance))


def _check(trace: Path, name: str, instance: int) -> None:
    """Look for the range, and for what a path is made of, before a foreign library does.

    Raises:
        InputError: there is no such range, or no device work.
        UsageError: there are fewer ranges of that name.
    """
    from tracer.summarize import Choices, summarize_file

    summary = summarize_file(trace, Choices(all_ranges=True))
    if summary.device.kind != "gpu":
        raise InputError(f"{trace}: it has no device work, which HolisticTraceAnalysis needs for a critical path")
    # HTA takes a name anywhere in another; those that begin so are what is asked for.
    counts = {one.name: one.count for one in summary.ranges if name in one.name}
    if not counts:
        raise InputError(f"{trace}: no range of it is called {name!r}; {_nearest(name, summary)}")
    if instance >= sum(counts.values()):
        raise UsageError(f"--instance {instance}: {trace} has {sum(counts.values())} ranges {name!r}, from 0 on")


def _nearest(name: str, summary: Summary) -> str:
    """What else to ask for."""
    from difflib import get_close_matches

    names = [one.name for one in summary.ranges]
    if not names:
        return "nor has it any other range"
    near = get_close_matches(name, names, SHOWN, cutoff=0.4) or names[:SHOWN]
    return f"name one of its own by --range: {', '.join(repr(one) for one in near)}{', ...' * (len(names) > len(near))}"


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from reports.units import duration, share

    total_us = sum(row["duration"] for row in rows)
    bounds: dict[str, float] = {}
    for row in rows:
        bounds[row["bound_by"]] = bounds.get(row["bound_by"], 0) + row["duration"]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("bound by", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    for bound, time_us in sorted(bounds.items(), key=lambda item: -item[1]):
        if bound:
            table.add_row(
                BOUNDS.get(bound, bound.replace("_", " ")), duration(time_us * 1000), share(time_us, total_us)
            )
    console = Console(highlight=False)
    console.print(table)
    console.print(Text(f"\nlongest on the path, of {len(rows):,} pieces", style="bold"))
    longest = sorted(rows, key=lambda row: -row["duration"])[:TOP_EVENTS]
    times = [duration(row["duration"] * 1000) for row in longest]
    room = console.width - max(map(len, times), default=0) - 2
    names = [name if len(name) <= room else f"{name[: room - 1]}…" for name in map(piece, longest)]
    most = max(map(len, names), default=0)
    for name, time in zip(names, times, strict=True):
        console.print(Text(f"{name:<{most}}  {time:>{console.width - room - 2}}"), soft_wrap=True)


def piece(row: dict[str, Any]) -> str:
    """What a piece of the path is: an operator, a call or a kernel; or a gap, which HTA names by the kernel before."""
    from reports.units import printable, short_kernel

    name = row["s_name"] if isinstance(row["s_name"], str) else ""  # else not a number
    said = short_kernel(printable(name)) if name else ""
    if row["bound_by"] in GAPS:
        return f"{GAPS[row['bound_by']]} {said}".strip()
    return said or str(row["type"]).replace("_", " ")


def _path(trace: Path, name: str, instance: int) -> list[dict[str, Any]]:
    """The pieces of the critical path as HTA gives them; durations in microseconds.

    Raises:
        InputError: HTA cannot read the trace, or finds no path in it.
    """
    import logging
    import tempfile
    import warnings

    logging.disable(logging.CRITICAL)  # it reports every step
    warnings.filterwarnings("ignore")
    try:
        from hta.trace_analysis import TraceAnalysis

        with tempfile.TemporaryDirectory(prefix="tracer-") as folder:
            analysis = TraceAnalysis({0: str(trace.resolve())}, folder, include_last_profiler_step=True)
            found = analysis.critical_path_analysis(rank=0, annotation=name, instance_id=instance)
            rows = found[0].get_critical_path_breakdown() if found and found[1] else None
            if rows is not None:
                pieces: list[dict[str, Any]] = rows.to_dict("records")
                return pieces
        reason = "it finds none"
    except Exception as error:  # whatever a foreign library makes of a foreign file
        reason = f"{type(error).__name__}: {error}{_of_pandas()}"
    raise InputError(f"{trace}: HolisticTraceAnalysis makes no critical path of it ({reason})")


def _of_pandas() -> str:
    """What to do where its own fault is known."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        major = int(version("pandas").split(".")[0])
    except (PackageNotFoundError, ValueError):
        return ""
    return "; HolisticTraceAnalysis 0.5 does not work with pandas 3: pip install 'pandas<3'" if major >= 3 else ""

"""`tracer critical-path`: what bounds a range, by HolisticTraceAnalysis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracer.document.critical_path import CriticalPath, PathPiece
from tracer.document.errors import InputError, MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.document.summary import Summary

SHOWN = 5


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
    from reports.document import of_critical_path
    from tracer.cli.options import Format
    from tracer.cli.printed import put, rendered

    blocks = of_critical_path(_path(trace, name, instance))
    put(rendered(blocks, Format.TEXT, heading="tracer critical-path", width=None, output=None), None)


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


def _path(trace: Path, name: str, instance: int) -> CriticalPath:
    """The critical path as HTA gives it.

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
                return CriticalPath(pieces=[_piece(row) for row in rows.to_dict("records")])
        reason = "it finds none"
    except Exception as error:  # whatever a foreign library makes of a foreign file
        reason = f"{type(error).__name__}: {error}{_of_pandas()}"
    raise InputError(f"{trace}: HolisticTraceAnalysis makes no critical path of it ({reason})")


def _piece(row: Mapping[str, Any]) -> PathPiece:
    """A row of HTA's; a name that is no text is not a number."""
    name = row["s_name"] if isinstance(row["s_name"], str) else ""
    return PathPiece(name=name, kind=str(row["type"]), bound_by=row["bound_by"], time_us=row["duration"])


def _of_pandas() -> str:
    """What to do where its own fault is known."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        major = int(version("pandas").split(".")[0])
    except (PackageNotFoundError, ValueError):
        return ""
    return "; HolisticTraceAnalysis 0.5 does not work with pandas 3: pip install 'pandas<3'" if major >= 3 else ""

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
REQUESTS = "tracer/request"
WHOLE = "take the whole trace by --range ''"
# By a part of what it says.
KNOWN = {
    "'NoneType' object is not subscriptable": "it knows none of the calls that launched the trace's kernels: it "
    "looks for cudaLaunchKernel, hipLaunchKernel, their copies and fills",
    "Could not find runtime index": "a kernel of the trace has no launch that it knows",
    "duplicate labels": "numbers of launches occur several times, as where ranks were joined in one file: give it the "
    "trace of one rank",
    "JSONDecodeError": "the file's text is no valid JSON, which it does not read around",
}


def command(
    trace: Annotated[Path, typer.Argument(help="A Chrome trace (.json, .json.gz).", show_default=False)],
    name: Annotated[
        str | None,
        typer.Option(
            "--range",
            help="The range to look at: its name, or a part of it; '' for the whole trace. [default: tracer/request; "
            "without any, the whole trace]",
            show_default=False,
        ),
    ] = None,
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
    name = _check(trace, name, instance)
    from reports.document import of_critical_path
    from tracer.cli.options import Format
    from tracer.cli.printed import put, rendered

    blocks = of_critical_path(_path(trace, name, instance))
    put(rendered(blocks, Format.TEXT, heading="tracer critical-path", width=None, output=None), None)


def _check(path: Path, name: str | None, instance: int) -> str:
    """Look for the range, and for what a path is made of, before a foreign library does.

    Returns:
        The range's name: what was asked for, else a request's where there is one, else "", the whole trace.

    Raises:
        InputError: there is no such range, or no path through it: work that is missing, a clock that is off, replays.
        UsageError: there are fewer ranges of that name.
    """
    from tracer.document.summary import require_read
    from tracer.document.words import counted
    from tracer.measure.pathless import instances, pathless, unwalkable
    from tracer.summarize import Choices, charge, read, summarize_charged
    from tracer.trace.source import Source

    choices = Choices(all_ranges=True)
    with Source(path) as source:
        charged = charge(read(source, choices), choices)
    summary = summarize_charged(charged, choices)
    require_read(str(path), summary.abstained)
    if why := pathless(summary):
        raise InputError(f"{path}: {why}")
    if name is None:
        name = REQUESTS if instances(charged.trace, REQUESTS) else ""
    # HTA takes a name anywhere in another.
    found = instances(charged.trace, name)
    if not found:
        raise InputError(f"{path}: no range of it is called {name!r}; {_nearest(name, summary)}")
    if instance >= len(found):
        has = (
            f"has {counted(len(found), 'range')} {name!r}, from 0 on"
            if name
            else f"is one whole; {_nearest('', summary)}"
        )
        raise UsageError(f"--instance {instance}: {path} {has}")
    missing = unwalkable(charged.trace, charged.lost, summary, found[instance])
    if missing is not None:
        raise InputError(f"{path}: {missing.what} through {_through(name)} cannot be told: {missing.because}")
    return name


def _through(name: str) -> str:
    """A range in a sentence."""
    return repr(name) if name else "the whole trace"


def _nearest(name: str, summary: Summary) -> str:
    """What else to ask for."""
    from difflib import get_close_matches

    names = [one.name for one in summary.ranges]
    if not names:
        return f"nor has it any other range: {WHOLE}, or mark one with torch.profiler.record_function"
    near = get_close_matches(name, names, SHOWN, cutoff=0.4) or names[:SHOWN]
    shown = f"{', '.join(repr(one) for one in near)}{', ...' * (len(names) > len(near))}"
    return f"name one of its own by --range: {shown}" + (f"; or {WHOLE}" if name else "")


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
            file = _named_as_packed(trace, Path(folder))
            analysis = TraceAnalysis({0: str(file)}, folder, include_last_profiler_step=True)
            place = _place(analysis, name, instance)
            found = analysis.critical_path_analysis(rank=0, annotation=name, instance_id=place)
            rows = found[0].get_critical_path_breakdown() if found and found[1] else None
            if rows is not None:
                return CriticalPath(through=_through(name), pieces=[_piece(row) for row in rows.to_dict("records")])
        reason = "it finds none"
    except Exception as error:  # whatever a foreign library makes of a foreign file
        reason = _in_words(error)
    raise InputError(f"{trace}: HolisticTraceAnalysis makes no critical path of it ({reason})")


def _named_as_packed(trace: Path, folder: Path) -> Path:
    """The trace by a name that says how it is packed, which HTA goes by."""
    from tracer.trace.source import GZIP

    with trace.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
    link = folder / f"trace.json{'.gz' * packed}"
    link.symlink_to(trace.resolve())
    return link


def _place(analysis: Any, name: str, instance: int) -> int:
    """Which of HTA's annotations the range is: it has those of devices among them, all in the order of the file."""
    symbols = analysis.t.symbol_table.get_sym_id_map()
    rows = analysis.t.get_trace(0)
    rows = rows[rows["name"].isin([number for text, number in symbols.items() if name in text])]
    ours = rows["cat"].eq(symbols.get("user_annotation", -1))
    if not name or instance >= int(ours.sum()):
        return instance
    place: int = rows["ts"].where(ours).reset_index(drop=True).sort_values(kind="stable").index[instance]
    return int(place)


def _in_words(error: Exception) -> str:
    """What a failure of HTA's means, where that is known, and what to do."""
    said = f"{type(error).__name__}: {error}"
    for sign, meaning in KNOWN.items():
        if sign in said:
            return meaning
    return f"{said}{_of_pandas()}"


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

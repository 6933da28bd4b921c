"""`tracer critical-path`: what bounds a range, by HolisticTraceAnalysis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracer.document.errors import InputError, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterable

TOP_EVENTS = 10


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
    rows = _path(trace, name, instance)
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from reports.units import duration, printable, share, short_kernel

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
            table.add_row(bound.replace("_", " "), duration(time_us * 1000), share(time_us, total_us))
    console = Console(highlight=False)
    console.print(table)
    console.print(Text(f"\nlongest on the path, of {len(rows):,} pieces", style="bold"))
    events = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
    events.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    events.add_column(justify="right", no_wrap=True)
    for row in sorted(rows, key=lambda row: -row["duration"])[:TOP_EVENTS]:
        events.add_row(
            Text(short_kernel(printable(str(row["s_name"] or row["type"])))), duration(row["duration"] * 1000)
        )
    console.print(events)


def _path(trace: Path, name: str, instance: int) -> list[dict[str, Any]]:
    """The pieces of the critical path as HTA gives them; durations in microseconds.

    Raises:
        InputError: HTA cannot read the trace, or finds no such range in it.
    """
    import logging
    import tempfile
    import warnings

    logging.disable(logging.CRITICAL)  # it reports every step
    warnings.filterwarnings("ignore")
    from hta.trace_analysis import TraceAnalysis

    try:
        with tempfile.TemporaryDirectory(prefix="tracer-") as folder:
            analysis = TraceAnalysis({0: str(trace.resolve())}, folder, include_last_profiler_step=True)
            graph, found = analysis.critical_path_analysis(rank=0, annotation=name, instance_id=instance)
            if not found:
                raise InputError(
                    f"{trace}: HTA finds no critical path through range {instance} of {name!r}; see --range"
                )
            rows: Iterable[dict[str, Any]] = graph.get_critical_path_breakdown().to_dict("records")
    except InputError:
        raise
    except Exception as error:  # whatever a foreign library makes of a foreign file
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            f"{trace}: HolisticTraceAnalysis finds no path through {name!r} ({reason}); see --range"
        ) from None
    return list(rows)

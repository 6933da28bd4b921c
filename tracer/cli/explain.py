"""`tracer explain`: the reasoning behind a finding."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracer.cli.options import Jobs, NoLimit
from tracer.document.errors import UsageError
from tracer.findings.registry import findings

if TYPE_CHECKING:
    from tracer.document.explained import Explained

# Columns, where lines are not to be broken.
WHOLE_LINES = 100_000


def command(
    finding: Annotated[
        str,
        typer.Argument(metavar="ID", help="A finding's id, which summarize prints in brackets.", show_default=False),
    ],
    trace: Annotated[
        Path | None, typer.Argument(help="A trace: show what the rule found in it.", show_default=False)
    ] = None,
    jobs: Jobs = None,
    no_limit: NoLimit = False,
) -> None:
    """Explain a finding: its rule, why it matters, what to do; with a trace also its figures there."""
    known = findings()
    if finding not in known:
        raise UsageError(f"{finding}: no such finding; there are {', '.join(sorted(known))}")
    from reports.parts.explained import blocks
    from tracer.cli.options import Format
    from tracer.cli.printed import put, rendered
    from tracer.document.explained import Explained

    rule = known[finding].FINDING
    explained = Explained(id=finding, rule=rule.rule, reason=rule.reason, next_step=rule.next_step)
    if trace is not None:
        explained = _in_trace(explained, trace, jobs=jobs, no_limit=no_limit)
    put(rendered(blocks(explained), Format.TEXT, heading=finding, width=_width(), output=None), None)


def _width() -> int | None:
    """The terminal's; elsewhere lines are left whole, for other programs."""
    return None if sys.stdout.isatty() else WHOLE_LINES


def _in_trace(explained: Explained, trace: Path, *, jobs: int | None, no_limit: bool) -> Explained:
    """With what the rule found in a trace."""
    from tracer.document.summary import why_unstaged
    from tracer.summarize import Choices, summarize_file
    from tracer.trace.limits import limits

    summary = summarize_file(trace, Choices(jobs=jobs, limits=limits(lifted=no_limit)))
    asked = re.compile(rf"finding {re.escape(explained.id)}(?: of \w+)?")
    found = next((one for one in summary.findings if one.id == explained.id), None)
    told = [one for one in summary.abstained if asked.fullmatch(one.what)]
    if found is None and not told:
        told = list(filter(None, [why_unstaged(summary.abstained)]))
    return replace(
        explained,
        next_step=explained.next_step if found is None else found.next_step,  # as an engine is told by its settings
        trace=str(trace),
        found=found,
        abstained=tuple(told),
    )

"""`tracer explain`: the reasoning behind a finding."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tracer.cli.options import Jobs, NoLimit
from tracer.document.errors import UsageError
from tracer.findings.registry import findings


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
    rule = known[finding].FINDING
    lines = [finding, "", f"rule: {rule.rule}", f"why: {rule.reason}", f"do: {rule.next_step}"]
    if trace is not None:
        lines += ["", *_in_trace(finding, trace, jobs=jobs, no_limit=no_limit)]
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in lines:
        console.print(Text(line), soft_wrap=not sys.stdout.isatty())


def _in_trace(finding: str, trace: Path, *, jobs: int | None, no_limit: bool) -> list[str]:
    """What the rule found in a trace."""
    from reports.units import duration, printable
    from tracer.summarize import Choices, summarize_file
    from tracer.trace.limits import limits

    summary = summarize_file(trace, Choices(jobs=jobs, limits=limits(lifted=no_limit)))
    found = next((one for one in summary.findings if one.id == finding), None)
    if found is None:
        why = [one for one in summary.abstained if re.fullmatch(rf"finding {re.escape(finding)}(?: of \w+)?", one.what)]
        if why:
            return [f"{trace}: {printable(one.what)} cannot be told: {printable(one.because)}" for one in why]
        return [f"{trace}: not found there; the rule is silent also where the trace cannot support it"]
    lines = [f"{trace}: {printable(found.message)}", "evidence:"]
    lines += [f"  {printable(name)} = {printable(str(value))}" for name, value in _flat(found.evidence)]
    if found.gain is not None:
        gain = found.gain
        saved = f"up to {duration(gain.time_ns)} of {duration(gain.of_ns)} ({gain.of})"
        lines.append(f"gain: {saved}, estimated: {gain.basis}")
    return lines


def _flat(evidence: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested figures as dotted names."""
    rows: list[tuple[str, Any]] = []
    for name, value in evidence.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return rows

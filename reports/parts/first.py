"""What to do first: of the findings that say something can be done, those that gain most, a line each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reports.blocks import Block, Item, block
from reports.units import duration

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Finding, Summary

SHOWN = 3
# Where the first thing to do ends, and its ways, reasons and exceptions begin.
_MORE = re.compile(r"[:;,] | \(")


def part(summary: Summary, _: Asked) -> Block | None:
    """They stand in full further down."""
    worth = [finding for finding in summary.findings if finding.gain is not None or finding.severity == "error"]
    return block("what to do first", *[_item(finding) for finding in worth[:SHOWN]])


def _item(finding: Finding) -> Item:
    do = _MORE.split(finding.next_step, maxsplit=1)[0]
    gain = finding.gain
    if gain is None or not gain.of_ns:
        return Item(finding.severity, do, finding.id)
    most = "up to " if gain.at_most else ""
    saved = f"{most}{duration(gain.time_ns)} of {duration(gain.of_ns)} ({gain.of})"
    return Item(finding.severity, f"{do}: {saved}", finding.id)

"""What to do first: of the findings that say something can be done, those that gain most, a line each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reports.blocks import Block, Item, block
from reports.parts.words import lost_of
from reports.units import duration
from tracer.document.words import listed

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Finding, Summary

SHOWN = 3
# Where the first thing to do ends, and its ways, reasons and exceptions begin.
_MORE = re.compile(r"[:;,] | \(")


def part(summary: Summary, _: Asked) -> Block | None:
    """They stand in full further down."""
    worth = [finding for finding in summary.findings if finding.gain is not None or finding.severity == "error"]
    return block("what to do first", _again(summary), *[_item(finding) for finding in worth[:SHOWN]])


def _again(summary: Summary) -> Item | None:
    """To record again where stages lack device ops: nothing else is known of them."""
    lost = lost_of(summary)
    unknown = [stage.stage for stage in summary.stages if stage.device_time_ns is None]
    if lost is None or not unknown:
        return None
    do = _MORE.split(lost.next_step, maxsplit=1)[0]
    return Item("warning", f"{do}: device ops of {listed(unknown)} are missing")


def _item(finding: Finding) -> Item:
    do = _MORE.split(finding.next_step, maxsplit=1)[0]
    gain = finding.gain
    if gain is None or not gain.of_ns:
        return Item(finding.severity, do, finding.id)
    most = "up to " if gain.at_most else ""
    saved = f"{most}{duration(gain.time_ns)} of {duration(gain.of_ns)} ({gain.of})"
    return Item(finding.severity, f"{do}: {saved}", finding.id)

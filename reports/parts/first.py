"""What to do first: of the findings that say something can be done, those that gain most, a line each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reports.blocks import Block, Item, block
from reports.parts.words import lost_of
from reports.units import duration
from tracer.document.summary import UNJOINED, WAITING
from tracer.document.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.asked import Asked
    from tracer.document.summary import Finding, Summary

SHOWN = 3
# Where the first thing to do ends, and its ways, reasons and exceptions begin.
_MORE = re.compile(r"[:;,] | \(")


def part(summary: Summary, _: Asked) -> Block | None:
    """They stand in full further down."""
    worth = [finding for finding in summary.findings if finding.gain is not None or finding.severity == "error"]
    # Of several that say to do the same the one that gains most: doing it twice gains nothing more.
    first = {_first(finding.next_step): finding for finding in reversed(worth)}
    shown = [finding for finding in worth if first[_first(finding.next_step)] is finding]
    return block("what to do first", *_again(summary), *[_item(finding) for finding in shown[:SHOWN]])


def again(summary: Summary, _: Asked) -> Block | None:
    """That to record again is the first thing to do, where it is: for what draws the findings otherwise."""
    return block("", *_again(summary))


def _again(summary: Summary) -> Iterator[Item]:
    """Where device ops are missing, where a clock is off, and where nothing joins ops to launches."""
    lost = lost_of(summary)
    unknown = [stage.stage for stage in summary.stages if stage.device_time_ns is None]
    if lost is not None and (unknown or not summary.stages):
        of = f" of {listed(unknown)}" if unknown else ""
        yield Item("warning", f"{_first(lost.next_step)}: device ops{of} are missing")
    for one in summary.abstained:
        if one.what in (WAITING, UNJOINED):
            yield Item("warning", f"{_first(one.next_step)}: {_first(one.reason)}")


def _first(text: str) -> str:
    return _MORE.split(text, maxsplit=1)[0]


def _item(finding: Finding) -> Item:
    do = _first(finding.next_step)
    gain = finding.gain
    if gain is None or not gain.of_ns:
        return Item(finding.severity, do, finding.id)
    most = "up to " if gain.at_most else ""
    saved = f"{most}{duration(gain.time_ns)} of {duration(gain.of_ns)} ({gain.of})"
    return Item(finding.severity, f"{do}: {saved}", finding.id)

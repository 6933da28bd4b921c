"""What was found, what to do about it and what that would save."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Item, Line, block, line
from reports.units import duration

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Finding, Summary


def part(summary: Summary, _: Asked) -> Block | None:
    """An item a finding, and that stages are inferred where they are."""
    items = [_item(finding) for finding in summary.findings]
    return block("findings", *([_inferred(summary)] if items else []), *items)


def _inferred(summary: Summary) -> Line | None:
    confidence = summary.trace.confidence
    if confidence is None:
        return None
    return line(
        f"stages are inferred (confidence {confidence:.2f} of 1): what is said of them is no surer", role="caution"
    )


def _item(finding: Finding) -> Item:
    advised = finding.gain is not None or finding.severity != "info"
    return Item(finding.severity, finding.message, finding.id, _advice(finding) if advised else "")


def _advice(finding: Finding) -> str:
    gain = finding.gain
    if gain is None or not gain.of_ns:
        return finding.next_step
    saved = f"{duration(gain.time_ns)} of {duration(gain.of_ns)} ({gain.of})"
    if gain.at_most:
        return f"saves up to {saved}: {finding.next_step}"
    return f"saves {saved}, by {gain.basis}: {finding.next_step}"

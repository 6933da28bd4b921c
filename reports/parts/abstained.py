"""What was not answered, why, and what to do: a line for each reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Piece, block, line
from reports.units import counted
from tracer.document.summary import MARKS, UNMARKED, UNMEASURED, UNREAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.asked import Asked
    from reports.blocks import Line
    from tracer.document.summary import Summary

FINDING = "finding "
# Which other parts say: what was not read, and why there are no stages.
SAID = (UNREAD, "stages", MARKS)
# More findings than these are named behind the reason: whoever reads wants that, and what to do.
FEW = 3


def part(summary: Summary, _: Asked) -> Block | None:
    """All that one reason keeps from being answered stands together, without what a report shows by what it lacks."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in [one for one in summary.abstained if one.what not in SAID and one.reason not in (UNMARKED, UNMEASURED)]:
        reasons.setdefault((one.reason, one.next_step), []).append(one.what)
    return block("not answered", *[said for why, what in reasons.items() for said in _lines(what, *why)])


def _lines(what: list[str], reason: str, next_step: str) -> Iterator[Line]:
    found = [one.removeprefix(FINDING) for one in what if one.startswith(FINDING)]
    others = [one for one in what if not one.startswith(FINDING)]
    named = f"{'findings' if len(found) > 1 else 'finding'} {', '.join(found)}"
    if len(found) > FEW:
        named = f"and {counted(len(found), 'finding')}" if others else counted(len(found), "finding")
    said = ", ".join([*others, named] if found else others)
    yield line("• ", Piece(f"{said}:", "strong"), f" {reason}{f'; {next_step}' if next_step else ''}")
    if len(found) > FEW:
        yield line(f"these findings: {', '.join(found)}", role="dim")

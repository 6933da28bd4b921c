"""What was not answered, why, and what to do: one line for each reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Piece, block, line
from tracer.document.summary import MARKS, UNMARKED, UNMEASURED, UNREAD

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Summary

FINDING = "finding "
# Which other parts say: what was not read, and why there are no stages.
SAID = (UNREAD, "stages", MARKS)


def part(summary: Summary, _: Asked) -> Block | None:
    """All that one reason keeps from being answered stands together, without what a report shows by what it lacks."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in [one for one in summary.abstained if one.what not in SAID and one.reason not in (UNMARKED, UNMEASURED)]:
        reasons.setdefault((one.reason, one.next_step), []).append(one.what)
    lines = [
        line("• ", Piece(f"{_joined(what)}:", "strong"), f" {reason}{f'; {next_step}' if next_step else ''}")
        for (reason, next_step), what in reasons.items()
    ]
    return block("not answered", *lines)


def _joined(what: list[str]) -> str:
    """What they are, the findings behind the others and the word said once."""
    found = [one.removeprefix(FINDING) for one in what if one.startswith(FINDING)]
    others = [one for one in what if not one.startswith(FINDING)]
    said = f"{'findings' if len(found) > 1 else 'finding'} {', '.join(found)}"
    return ", ".join([*others, said] if found else others)

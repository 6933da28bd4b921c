"""What was found, what was not answered, and what was read around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Caution, Item, Piece, block, line

if TYPE_CHECKING:
    from tracer.document.ranks import Ranks


def findings(ranks: Ranks) -> Block | None:
    """An item a finding."""
    return block("findings", *[Item(one.severity, one.message, one.id, one.next_step) for one in ranks.findings])


def abstained(ranks: Ranks) -> Block | None:
    """A line for each."""
    lines = [line("• ", Piece(f"{one.what}:", "strong"), f" {one.because}") for one in ranks.abstained]
    return block("not answered", *lines)


def warnings(ranks: Ranks) -> Block | None:
    """A line a warning."""
    return block("", *[Caution(warning) for warning in ranks.warnings], close=True)

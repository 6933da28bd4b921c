"""What the reader worked around in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.blocks import Block, Caution, block

if TYPE_CHECKING:
    from reports.asked import Asked
    from tracer.document.summary import Summary


def part(summary: Summary, _: Asked) -> Block | None:
    """A line a warning."""
    return block("", *[Caution(warning) for warning in summary.trace.warnings], close=True)

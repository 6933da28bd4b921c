"""A summary as a terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.document import of_summary
from reports.render import text

if TYPE_CHECKING:
    from tracer.document.summary import Summary


def render(summary: Summary, *, width: int = 80, colours: str | None = None) -> str:
    """Text of `width` columns, with colours where a colour system is given."""
    return text.render(of_summary(summary), width=width, colours=colours)

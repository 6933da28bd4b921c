"""What a page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracer.document.comparison import Comparison
    from tracer.document.summary import Summary
    from tracer.document.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Shown:
    """One file.

    Attributes:
        number: of it on the page, from 0 on.
        summary: of its trace.
        timeline: None where the file is a saved summary, which has none.
    """

    number: int
    summary: Summary
    timeline: Timeline | None

    def id(self, section: str) -> str:
        """The id of one of its sections."""
        return f"run-{self.number}-{section}"


@dataclass(frozen=True, slots=True)
class Page:
    """All of it; the comparison is None of one file."""

    files: tuple[Shown, ...]
    comparison: Comparison | None = None

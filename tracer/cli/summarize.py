"""`tracer summarize`: say where the time in a trace went."""

from __future__ import annotations


def command() -> None:
    """Summarize."""

"""How far a recording is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told how far a recording is."""

    def begin(self, phase: str, steps: int) -> None:
        """A phase of so many steps begins."""
        ...

    def advance(self) -> None:
        """One step of the phase is done."""
        ...

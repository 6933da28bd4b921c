"""A progress that nobody watches; see `tracer.recording.progress.Progress`."""

from __future__ import annotations


class Silent:
    """Says nothing."""

    def begin(self, phase: str, steps: int) -> None: ...

    def advance(self) -> None: ...

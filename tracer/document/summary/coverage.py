"""How much of an answer was recorded."""

from __future__ import annotations

import msgspec


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of which the trace holds a part, as where a window of decode steps was recorded.

    Attributes:
        stage: its name.
        recorded_runs: runs (of decode, steps) in the trace.
        of_runs: that the requests in the trace had.
    """

    stage: str
    recorded_runs: int
    of_runs: int

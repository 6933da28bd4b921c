"""A critical path through a range, as HolisticTraceAnalysis finds it."""

from __future__ import annotations

import msgspec


class PathPiece(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of the path.

    Attributes:
        name: the operator, call or kernel; of a gap, the kernel before it; "" where it has none.
        kind: what HolisticTraceAnalysis calls it: `critical_path_operator` and the like.
        bound_by: what limits it, in HolisticTraceAnalysis' words; "" of nothing.
        time_us: how long it takes, in microseconds, as whole ones as HolisticTraceAnalysis has them.
    """

    name: str
    kind: str
    bound_by: str
    time_us: float


class CriticalPath(msgspec.Struct, frozen=True, kw_only=True):
    """The chain of operators, launches and kernels that nothing overlaps.

    Attributes:
        pieces: in the order of time.
        through: what: a range's name in quotes, or the whole trace; "" where it is not told.
    """

    pieces: list[PathPiece]
    through: str = ""

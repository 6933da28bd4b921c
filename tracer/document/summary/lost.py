"""Work that was launched and not recorded."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class LostOps(msgspec.Struct, frozen=True, kw_only=True):
    """Of a stage or a decode step.

    Attributes:
        launches: host calls that put work on a device and have no device op, or of a graph with a part of its ops.
        ops_missing: always; so the device, busy and idle times beside it are null.
    """

    launches: int
    ops_missing: bool = True


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Of a trace. What lacks ops has no device, busy or idle time, and nothing that is said rests on it.

    Attributes:
        launches: host calls that put work on a device and have no device op, outside stream captures, or that launch a
            graph and have a part of its ops.
        in_part: of these, graphs with a part of their ops; absent where there are none.
        of_launches: of so many.
        by_call: the same by what was called.
        of_calls: how many of these calls there are.
        stages: that made some of them, in their order.
        steps: decode steps that made some of them.
        of_steps: of so many.
        reason: all of that in words.
        next_step: what to do, so that the work is recorded.
    """

    launches: int
    in_part: int | UnsetType = UNSET
    of_launches: int
    by_call: dict[str, int]
    of_calls: dict[str, int]
    stages: list[str]
    steps: int
    of_steps: int
    reason: str
    next_step: str

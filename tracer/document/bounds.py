"""Bounds of what a document from a file may claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

# None below 0, and none that a double does not hold exactly (as a time, 104 days).
LONGEST_NS = 1 << 53
Count = Annotated[int, msgspec.Meta(ge=0, le=LONGEST_NS)]
# Of work, which may exceed what a double holds exactly, but stays a number that arithmetic can take.
Amount = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
# Of what is only carried along.
Number = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
BEYOND = 1 << 64


def oversized(values: Iterable[Any]) -> bool:
    """Whether plain values of any nesting hold a whole number beyond 64 bits."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, int) and abs(value) >= BEYOND:
            return True
    return False

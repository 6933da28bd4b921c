"""How a kernel was launched, as an event's arguments say it: text, until the different ones are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from tracer.document.bounds import LONGEST_NS
from tracer.trace.columns import LaunchShape

if TYPE_CHECKING:
    from tracer.trace.chrome.events import LaunchedArgs

# Grid, block, registers, shared memory and occupancy, as they stand in the file.
Shape: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes]
DIMENSIONS = 3
# What these numbers never reach; beyond is damage.
MOST = LONGEST_NS
PERCENT = 100


def shape_of(args: LaunchedArgs) -> Shape:
    """The texts of one event; all of them empty where it says nothing."""
    return (bytes(args.grid), bytes(args.block), bytes(args.registers), bytes(args.shared), bytes(args.occupancy))


def parsed(shape: Shape) -> LaunchShape:
    """What the texts mean; what means nothing is None."""
    grid, block, registers, shared, occupancy = map(_value, shape)
    share = _number(occupancy)
    return LaunchShape(
        grid=_dimensions(grid),
        block=_dimensions(block),
        registers=_whole(registers),
        shared_bytes=_whole(shared),
        # A kernel that runs holds some warps: 0 is rounding to a whole percent, or what the profiler could not work
        # out, as of kernels with more shared memory than a block has unless it asks.
        occupancy=None if not share or share > PERCENT else share / PERCENT,
    )


def _value(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except (ValueError, RecursionError):
        return None


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST
    return value if usable else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and _number(value) is not None else None


def _dimensions(value: Any) -> tuple[int, int, int] | None:
    if not isinstance(value, list) or len(value) != DIMENSIONS:
        return None
    x, y, z = map(_whole, value)
    return None if x is None or y is None or z is None else (x, y, z)

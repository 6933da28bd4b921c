"""What an allocator did, as an instant's arguments say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.bounds import LONGEST_NS
from tracer.trace.chrome.categories import MEMORY_NAME
from tracer.trace.chrome.events import NO_MEMORY, Event, Id, MemoryArgs
from tracer.trace.chrome.numbers import integers, nanoseconds
from tracer.trace.columns import MISSING

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from tracer.arrays import I64

# Bytes that no allocator gives; beyond is damage.
MOST = LONGEST_NS
INSTANT = ("i", "I")


def memory_columns(
    events: Sequence[Event], names: MutableMapping[str, int], tracks: MutableMapping[tuple[Id, Id], int]
) -> tuple[I64, ...]:
    """Columns of those events that are an allocator's; damaged ones are left out.

    Returns:
        Time twice, as of an interval of no length; name and track, numbered; bytes, kind of device, device, bytes
        allocated and reserved behind it, address: MISSING where an event does not say.
    """
    told = [event for event in events if event.ph in INSTANT and event.name == MEMORY_NAME]
    time, usable = nanoseconds([event.ts for event in told])
    size = integers([_args(event).moved for event in told], MISSING)
    kind = integers([_args(event).kind for event in told], MISSING)
    good = usable & (size > -MOST) & (size < MOST) & (kind != MISSING)
    chosen = [event for event, fits in zip(told, np.asarray(good).tolist(), strict=True) if fits]
    args = [_args(event) for event in chosen]
    allocated, reserved = (integers([getattr(arg, key) for arg in args], MISSING) for key in ("allocated", "reserved"))
    return (
        time[good],
        time[good],
        int64([names[event.name] for event in chosen]),
        int64([tracks[event.pid, event.tid] for event in chosen]),
        size[good],
        kind[good],
        integers([arg.of_device for arg in args], MISSING),
        _plausible(allocated),
        _plausible(reserved),
        integers([arg.address for arg in args], MISSING),
    )


def _plausible(values: I64) -> I64:
    return int64(np.where((values >= 0) & (values < MOST), values, MISSING))


def _args(event: Event) -> MemoryArgs:
    return event.args if isinstance(event.args, MemoryArgs) else NO_MEMORY

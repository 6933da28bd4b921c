"""Two models that two threads of one process drive, and one of them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.chrome import MAIN, OTHER, kernel, launch

if TYPE_CHECKING:
    from support.chrome import Event


def model(
    name: str,
    every: float,
    *,
    busy: float = 10,
    count: int = 10,
    at: float = 0,
    tid: int = MAIN,
    first: int = 1,
    device: int = 0,
) -> list[Event]:
    """So many kernels of a model, one launched every so many microseconds, on a stream of its own."""
    events: list[Event] = []
    for number in range(count):
        asked = at + number * every
        events += [
            launch(asked, 1, first + number, tid),
            kernel(name, asked + 2, busy, first + number, stream=10 * tid, device=device),
        ]
    return events


def both(small_every: float = 60, large_every: float = 100, small_busy: float = 10, device: int = 0) -> list[Event]:
    """A small model beside a large one whose kernels take 80 us, which is on this device."""
    small = model("small", small_every, busy=small_busy, tid=MAIN)
    return [*small, *model("large", large_every, busy=80, at=5, tid=OTHER, first=100, device=device)]

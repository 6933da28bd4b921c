"""Energy of repeated work, out of a counter that changes a few times a second.

When the counter changed is known between two readings of it; what it said in between is not known at all. So the energy
of a window is taken in one of two ways, whichever leaves less room:

- *inside*: between the first and the last change in the window, scaled to its length. The parts that the changes cut
  off may be any part of a run, so one run is uncertain, and so is the time between the readings around each change.
- *around*: between the changes next to its ends. What the counter gained there is uncertain, once for each end. That
  holds only where the same work goes on before and after, since a counter lags.

Microjoules over nanoseconds are kilowatts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# From so many windows on their errors, which are independent of each other, partly cancel.
MANY = 6
_VARIANCE_OF_UNIFORM = 1 / 3


@dataclass(frozen=True, slots=True)
class Change:
    """The counter came to say `total_uj` after `after_ns`, and by `by_ns` at the latest."""

    after_ns: int
    by_ns: int
    total_uj: int


@dataclass(frozen=True, slots=True)
class Window:
    """Some runs behind each other; `goes_on` where the same work went on before and after."""

    start_ns: int
    end_ns: int
    runs: int
    goes_on: bool = False

    @property
    def length_ns(self) -> int:
        """All of it."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class Energy:
    """Microjoules of some runs, within `slack_uj` of the truth, and the time that they took."""

    total_uj: float
    slack_uj: float
    runs: int
    time_ns: int

    @property
    def precision(self) -> float:
        """The slack as a share of it."""
        return self.slack_uj / self.total_uj if self.total_uj > 0 else float("inf")


def energy_of(changes: Sequence[Change], windows: Sequence[Window], *, lag_ns: int = 0) -> Energy | None:
    """The energy of all runs in the windows in which the counter changed often enough; None if it did in none.

    Args:
        changes: of the counter, in the order of time.
        windows: apart from each other.
        lag_ns: how old what the counter says may be; changes so soon after a window's start do not count, as other work
            went on before.
    """
    found = [(window, one) for window in windows if (one := _of_window(changes, window, lag_ns)) is not None]
    if not found:
        return None
    slacks = [slack for _, (_, slack) in found]
    slack = sum(slacks)
    if len(slacks) >= MANY:
        slack = min(slack, 2 * sqrt(_VARIANCE_OF_UNIFORM * sum(one * one for one in slacks)))
    return Energy(
        total_uj=sum(total for _, (total, _) in found),
        slack_uj=slack,
        runs=sum(window.runs for window, _ in found),
        time_ns=sum(window.length_ns for window, _ in found),
    )


def _of_window(changes: Sequence[Change], window: Window, lag_ns: int) -> tuple[float, float] | None:
    ways = [_inside(changes, window, lag_ns), _around(changes, window)]
    return min((way for way in ways if way is not None), key=lambda way: way[1], default=None)


def _inside(changes: Sequence[Change], window: Window, lag_ns: int) -> tuple[float, float] | None:
    """Microjoules of a window and their slack, by the changes within it."""
    start_ns = window.start_ns + lag_ns
    first = bisect_left(changes, start_ns, key=lambda change: change.after_ns)
    last = bisect_right(changes, window.end_ns, key=lambda change: change.by_ns) - 1
    if last <= first:
        return None
    one, other = changes[first], changes[last]
    least_ns, most_ns = other.after_ns - one.by_ns, other.by_ns - one.after_ns
    between_ns = (least_ns + most_ns) / 2
    room_ns = (most_ns - least_ns) / 2 + (window.length_ns / window.runs if window.runs else 0)
    if between_ns <= room_ns:
        return None
    total = (other.total_uj - one.total_uj) * window.length_ns / between_ns
    return total, total * room_ns / (between_ns - room_ns)


def _around(changes: Sequence[Change], window: Window) -> tuple[float, float] | None:
    """The same by the changes next to its ends."""
    if not window.goes_on:
        return None
    ends = [_at(changes, time_ns) for time_ns in (window.start_ns, window.end_ns)]
    if ends[0] is None or ends[1] is None:
        return None
    (low, high), (later_low, later_high) = ends[0], ends[1]
    least, most = max(0, later_low - high), later_high - low
    return (least + most) / 2, (most - least) / 2


def _at(changes: Sequence[Change], time_ns: int) -> tuple[int, int] | None:
    """What the counter, if it always changed, said at a time at least and at most."""
    before = bisect_right(changes, time_ns, key=lambda change: change.by_ns) - 1
    after = bisect_left(changes, time_ns, key=lambda change: change.after_ns)
    if before < 0 or after >= len(changes):
        return None
    return changes[before].total_uj, changes[after].total_uj


def period_ns(changes: Sequence[Change]) -> int:
    """How often the counter changes: the median; 0 of fewer than two changes."""
    times = [(change.after_ns + change.by_ns) // 2 for change in changes]
    return round(median(later - earlier for earlier, later in pairwise(times))) if times[1:] else 0

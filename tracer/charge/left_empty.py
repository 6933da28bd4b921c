"""For how long a device recorded nothing around a graph's replay, although it had been asked to work.

Between the replay's ops that is all that nothing covers. Before them it is from the end of the launch, or of what ran
before; behind them until the next op, from when that was asked for, or while the host waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64, is_ascending
from tracer.charge.intervals import PIECE
from tracer.charge.ledger import recorded_windows
from tracer.packed import some
from tracer.trace.api import starts_work, synchronises

if TYPE_CHECKING:
    from tracer.arrays import I32, I64, Bools, Column
    from tracer.charge.replayed import Replayed
    from tracer.trace.columns import DeviceOps, Trace

NEVER = np.iinfo(np.int64).max
BEFORE_ALL = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class LeftEmpty:
    """Of each replay.

    Attributes:
        times_ns: [3, replays] before its first op, among its ops, behind its last.
        hidden_ns: when the host asked for the next op or began to wait: of what ran until then, if its record is
            missing, nothing tells. BEFORE_ALL where that is not known.
        last: whether nothing follows on the device, and the host did not wait for that.
        waited_ns: of what is behind its last op, that in which the host waited.
    """

    times_ns: I64
    hidden_ns: I64
    last: Bools
    waited_ns: I64


def left_empty(trace: Trace, call: Column, replays: Replayed, *, off: Bools, inside: bool) -> LeftEmpty:
    """Look for it on each device, in each recorded window.

    Args:
        trace: with ops and calls.
        call: of each op its launch, or -1.
        replays: of the same.
        off: which ops are of a device whose clock is off: it says nothing of what the host did meanwhile.
        inside: whether to look among the replays' ops too.
    """
    times_ns, hidden_ns = np.zeros((3, len(replays)), dtype=np.int64), np.full(len(replays), BEFORE_ALL)
    last, waited_ns = np.zeros(len(replays), dtype=np.bool_), np.zeros(len(replays), dtype=np.int64)
    begun_by = replays.rows[replays.begins[:-1]]
    waits, asked_ns = _waits(trace), _asked_last(trace)
    for rows in recorded_windows(trace, trace.ops.device, trace.ops.start_ns):
        recorded = np.zeros(len(trace.ops), dtype=np.bool_)
        recorded[rows] = True
        own = int64(np.flatnonzero(recorded[begun_by]))
        if not len(own):
            continue
        window = _Window.of(trace.ops, rows)
        if inside:
            covered = window.covered(np.stack([replays.start_ns[own], replays.end_ns[own]]))
            times_ns[1, own] = replays.end_ns[own] - replays.start_ns[own] - covered
        if off[rows[0]]:
            continue
        times_ns[0, own] = window.before(replays.start_ns[own], trace.calls.end_ns[replays.call[own]])
        queued_ns, waited_ns[own], hidden_ns[own], nothing = window.behind(trace, call, replays, own, waits)
        times_ns[2, own] = np.maximum(queued_ns, waited_ns[own])
        later = asked_ns[trace.calls.thread[replays.call[own]]] > trace.calls.start_ns[replays.call[own]]
        last[own] = nothing & ((hidden_ns[own] == BEFORE_ALL) | later)
    return LeftEmpty(times_ns, hidden_ns, last, waited_ns)


def _waits(trace: Trace) -> I64:
    """The calls that wait for a device, as they end; giving memory back takes time of its own."""
    waits = np.array([synchronises(name) and "Free" not in name for name in trace.strings], dtype=np.bool_)
    rows = np.flatnonzero(waits[trace.calls.name])
    return int64(rows[np.argsort(trace.calls.end_ns[rows], kind="stable")])


def _asked_last(trace: Trace) -> I64:
    """When each thread put work on a device for the last time."""
    works = np.array([*map(starts_work, trace.strings)], dtype=np.bool_)
    rows = np.flatnonzero(works[trace.calls.name])
    found = np.full(len(trace.threads), BEFORE_ALL)
    np.maximum.at(found, trace.calls.thread[rows], trace.calls.start_ns[rows])
    return int64(found)


@dataclass(frozen=True, slots=True)
class _Window:
    """The ops of one device while it was recorded, as they began, and how far those until each reach."""

    rows: I32
    start_ns: I64
    reach_ns: I64

    @classmethod
    def of(cls, ops: DeviceOps, rows: I32) -> _Window:
        """Of some rows."""
        start_ns = ops.start_ns[rows]
        if not is_ascending(start_ns):
            rows = rows[np.argsort(start_ns, kind="stable")]
            start_ns.sort()
        reach_ns, furthest = np.empty_like(start_ns), BEFORE_ALL
        for at in range(0, len(rows), PIECE):
            reach = np.maximum.accumulate(np.maximum(some(ops, "end_ns", rows[at : at + PIECE]), furthest))
            reach_ns[at : at + PIECE], furthest = reach, reach[-1]
        return cls(rows, start_ns, reach_ns)

    def covered(self, between_ns: I64) -> I64:
        """For how long between each two times, [2, times], any op ran."""
        place = np.searchsorted(self.start_ns, between_ns, side="right")
        before_ns, total_ns = np.zeros(place.shape, dtype=np.int64), 0
        for at in range(0, len(self.rows), PIECE):
            start_ns, reach_ns = self.start_ns[at : at + PIECE], self.reach_ns[at : at + PIECE]
            since = np.maximum(start_ns, np.append(self.reach_ns[at - 1] if at else BEFORE_ALL, reach_ns[:-1]))
            so_far = total_ns + np.cumsum(np.maximum(reach_ns - since, 0))
            here = (place > at) & (place <= at + len(start_ns))
            before_ns[here] = so_far[place[here] - 1 - at]
            total_ns = int(so_far[-1])
        beyond_ns = np.maximum(self.reach_ns[np.maximum(place - 1, 0)] - between_ns, 0)
        before_ns -= np.where(place > 0, beyond_ns, 0)
        return int64(before_ns[1] - before_ns[0])

    def before(self, start_ns: I64, asked_ns: I64) -> I64:
        place = np.searchsorted(self.start_ns, start_ns)
        reach_ns = np.where(place > 0, self.reach_ns[np.maximum(place - 1, 0)], asked_ns)
        return int64(np.maximum(start_ns - np.maximum(asked_ns, reach_ns), 0))

    def behind(
        self, trace: Trace, call: Column, replays: Replayed, own: I64, waits: I64
    ) -> tuple[I64, I64, I64, Bools]:
        """Empty time for what was asked for, and while the host waited; `hidden_ns`; where nothing follows."""
        calls, end_ns = trace.calls, replays.end_ns[own]
        place = np.searchsorted(self.start_ns, end_ns)
        nothing = np.asarray(place == len(self.rows), dtype=np.bool_)
        following = self.rows[np.minimum(place, len(self.rows) - 1)]
        next_ns = np.where(nothing, NEVER, self.start_ns[np.minimum(place, len(self.rows) - 1)])
        by = np.where(nothing, -1, call[following])
        # A call that copies and waits ends behind its op.
        done_ns = np.where(calls.end_ns[by] <= next_ns, calls.end_ns[by], calls.start_ns[by])
        queued_ns = np.where(by >= 0, next_ns - np.maximum(end_ns, done_ns), 0)
        asked_ns = np.where(nothing, NEVER, np.where(by >= 0, done_ns, BEFORE_ALL))
        waited_ns, began_ns = _waited(trace, waits, calls.start_ns[replays.call[own]], end_ns, next_ns)
        hidden_ns = np.minimum(asked_ns, began_ns)
        hidden_ns[hidden_ns == NEVER] = BEFORE_ALL
        return int64(np.maximum(queued_ns, 0)), waited_ns, int64(hidden_ns), nothing


def _waited(trace: Trace, waits: I64, since_ns: I64, end_ns: I64, until_ns: I64) -> tuple[I64, I64]:
    """How long the host waited for replays launched `since_ns`, behind the end of their ops until the next began.

    Returns:
        That, and when it began to wait; NEVER where it did not.
    """
    if not len(waits):
        return np.zeros_like(end_ns), np.full_like(end_ns, NEVER)
    place = np.searchsorted(trace.calls.end_ns[waits], end_ns)
    wait = waits[np.minimum(place, len(waits) - 1)]
    began_ns, over_ns = trace.calls.start_ns[wait], trace.calls.end_ns[wait]
    held = (place < len(waits)) & (began_ns >= since_ns) & (began_ns < until_ns)
    waited_ns = np.minimum(over_ns, until_ns) - np.maximum(end_ns, began_ns)
    return int64(np.where(held, np.maximum(waited_ns, 0), 0)), int64(np.where(held, began_ns, NEVER))

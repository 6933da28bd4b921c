"""By how much a rank is late at a collective, and why: its host, its device, or the network.

A collective's last rank is late by what it arrives after the one before it. Why is what it did since the collective
before, beside the median of the others: more idle time is its host's, more time in kernels its device's. A host that
launches late stays behind, and the others' hosts run on while their devices wait; so devices wait at every collective
for what the host lost once. What a host loses is therefore read off its launches: by how much it falls further behind
the others'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.ranks import DEVICE, HOST, NETWORK
from tracer.ranks.divided import waits
from tracer.ranks.matched import everybody_waits
from tracer.ranks.owed import given, owed
from tracer.ranks.rank import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.arrays import I64, Bools
    from tracer.document.ranks import Cause
    from tracer.ranks.clocks import Clocks
    from tracer.ranks.divided import Divided
    from tracer.ranks.matched import Matched
    from tracer.ranks.rank import RankTrace

# A host that was behind by ten times as much is level again.
LEVEL = 10
CAUSES: tuple[Cause, ...] = (HOST, DEVICE, NETWORK)
NOBODYS = -1


@dataclass(frozen=True, slots=True)
class Lateness:
    """A group's collectives; a column each.

    Attributes:
        last: row of the rank that arrives last.
        late_ns: by how much, after the one before it.
        cause: index into CAUSES; NOBODYS where it is another rank's doing, or launches are unknown.
        behind_ns: by how much each rank's host falls further behind the others since the collective before: a matrix.
        slower_ns: how much longer each rank's transfer takes than the others': a matrix.
        own_ns: of `late_ns` what it has no other reason for: of a device no more than it was given to do, and nothing
            that is counted at a collective of another group (`counted_once`).
    """

    last: I64
    late_ns: I64
    cause: I64
    behind_ns: I64
    slower_ns: I64
    own_ns: I64


def lateness(
    group: Matched, traces: Mapping[int, RankTrace], divided: Mapping[int, Divided], clocks: Clocks
) -> Lateness:
    """Say of each collective who is last, and why."""
    last = int64(group.start_ns.argmax(axis=0))
    ordered = np.sort(group.start_ns, axis=0)
    waited_for = np.array([everybody_waits(kind) for kind in group.kinds], dtype=np.bool_)
    late_ns = int64(np.where(waited_for, ordered[-1] - ordered[-2], 0))
    transfer_ns = group.end_ns - group.start_ns - waits(group)
    cause = _causes(group, last, late_ns, _since(group, traces, divided, clocks))
    of_device = cause == CAUSES.index(DEVICE)
    work_ns = given(group, traces, clocks) if of_device.any() else None
    own_ns = late_ns
    if work_ns is not None:
        own_ns = int64(
            np.where(of_device, np.minimum(late_ns, owed(work_ns - others(work_ns), last, waited_for)), late_ns)
        )
    return Lateness(
        last=last,
        late_ns=late_ns,
        cause=cause,
        behind_ns=_behind(group, _synced(group, traces, clocks)),
        slower_ns=int64(np.where(waited_for, transfer_ns - others(transfer_ns), 0)),
        own_ns=own_ns,
    )


def others(values: I64) -> I64:
    """Of a matrix with a row a rank, the median of the other rows: of an even number the lower middle one."""
    ordered = np.sort(values, axis=0)
    count = len(values) - 1
    low, high = ordered[(count - 1) // 2], ordered[(count - 1) // 2 + 1]
    # Without a value at or below the middle one, the next one above takes its place.
    return int64(np.where(values <= low, high, low))


def _since(
    group: Matched, traces: Mapping[int, RankTrace], divided: Mapping[int, Divided], clocks: Clocks
) -> tuple[I64, I64, I64, I64]:
    """What each rank did between its collectives: idle, compute, waits (or what may be) and transfers; matrices."""
    idle, busy, waited, moved = (np.zeros_like(group.start_ns) for _ in range(4))
    firsts = [int(traces[rank].start_ns.min()) - clocks.offset_ns.get(rank, 0) for rank in group.ranks]
    for row, rank in enumerate(group.ranks):
        ahead_ns, own = clocks.offset_ns.get(rank, 0), divided[rank]
        begin = np.append(min(firsts), group.end_ns[row, :-1]) + ahead_ns
        end = np.maximum(group.start_ns[row] + ahead_ns, begin)
        busy[row] = own.compute.within(begin, end)
        inside = own.all.within(begin, end) - busy[row]
        idle[row] = end - begin - busy[row] - inside
        trace = traces[rank]
        # What was not matched may be a wait for anybody, as a receipt is for its sender.
        unmatched = np.where((trace.kind >= 0) & (own.wait_ns < 0), trace.end_ns - trace.start_ns, -1)
        unknown = _sum_between(trace, own.wait_ns, begin, end) + _sum_between(trace, int64(unmatched), begin, end)
        waited[row] = np.minimum(unknown, inside)
        moved[row] = inside - waited[row]
    return idle, busy, waited, moved


def _sum_between(trace: RankTrace, values: I64, begin: I64, end: I64) -> I64:
    """Of ops that begin in these intervals and have a value, none below 0, the sum of these."""
    rows = np.flatnonzero(values >= 0)
    rows = rows[np.argsort(trace.start_ns[rows], kind="stable")]
    starts, sums = trace.start_ns[rows], np.append(0, np.cumsum(values[rows]))
    return int64(sums[np.searchsorted(starts, end)] - sums[np.searchsorted(starts, begin)])


def _causes(group: Matched, last: I64, late_ns: I64, since: tuple[I64, I64, I64, I64]) -> I64:
    column = np.arange(len(last))
    idle, busy, waited, moved = [(part - others(part))[last, column] for part in since]
    each = np.stack([idle, busy, moved, waited])
    most = np.argmax(each, axis=0)
    # What it ended the collective before later than others explains the rest; that is counted there.
    causes = np.where((most < len(CAUSES)) & (2 * each.max(axis=0) >= late_ns), most, NOBODYS)
    unknown = (group.launch_ns == UNKNOWN).any(axis=0)
    return int64(np.where((causes == CAUSES.index(HOST)) & unknown, NOBODYS, causes))


def _behind(group: Matched, synced: Bools) -> I64:
    """By how much each host falls further behind, collective by collective; negative where it catches up."""
    unknown = (group.launch_ns == UNKNOWN).any(axis=0)
    launch = np.where(unknown, group.start_ns, group.launch_ns)
    behind = launch - others(launch)
    before = np.concatenate([np.zeros_like(behind[:, :1]), behind[:, :-1]], axis=1)
    # Where every host waited for the collective before, as to sample a token, all began anew.
    anew = synced | (_begins(group) & (launch[:, 1:] >= group.end_ns[:, :-1]).all(axis=0))
    end = group.end_ns[:, :-1]
    fresh = launch[:, 1:] - end - others(launch[:, 1:] - end)
    grown = behind - before
    level = (before > 0) & (np.abs(behind) * LEVEL <= before)
    grown = np.where(level, np.maximum(behind, 0), grown)
    grown[:, 1:] = np.where(anew, fresh, grown[:, 1:])
    return int64(np.where(unknown, 0, grown))


def _synced(group: Matched, traces: Mapping[int, RankTrace], clocks: Clocks) -> Bools:
    """Before which collectives, from the second on, every host had waited for the one before."""
    every = np.ones(group.start_ns.shape[1] - 1, dtype=np.bool_)
    for row, rank in enumerate(group.ranks):
        ahead_ns, waited = clocks.offset_ns.get(rank, 0), traces[rank].synced_ns
        done = np.searchsorted(waited, group.end_ns[row, :-1] + ahead_ns)
        every &= done < np.searchsorted(waited, group.launch_ns[row, 1:] + ahead_ns, side="right")
    return every


def _begins(group: Matched) -> Bools:
    """Which collectives, from the second on, are the first of their run of a stage."""
    pairs = zip(group.units[1:], group.units[:-1], strict=True)
    return np.array([one != before for one, before in pairs], dtype=np.bool_)

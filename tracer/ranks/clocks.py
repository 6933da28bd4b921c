"""One clock for all ranks: of one host it is shared; else the offset is read off the ends of collectives.

Nobody leaves an all-reduce before everybody has entered it and its data has gone around, so that its kernels end
together; in a ring within about the time of one step. The offset is the median over all that two ranks share, the
residual how far three quarters of them agree with it. A drift of a clock is not taken out: it shows as a residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import I64
    from tracer.ranks.matched import Matched
    from tracer.ranks.rank import RankTrace

# Clocks of one host never differ by more.
SHARED_NS = 1_000_000
AGREEING = 0.75
# Those in which nobody can end before everybody has begun.
_WHOLE = ("allreduce", "allgather", "reducescatter", "alltoall", "barrier", "devicereduce")


@dataclass(frozen=True, slots=True)
class Clocks:
    """By how much each rank's clock is ahead of the first one's, and how well that is known.

    Attributes:
        offset_ns, residual_ns: by rank; of those that a collective joins to the first.
        shared: whether all offsets are none.
    """

    offset_ns: dict[int, int]
    residual_ns: dict[int, int]
    shared: bool

    @property
    def worst_ns(self) -> int | None:
        """The largest residual; None where nothing was compared."""
        return max(self.residual_ns.values(), default=None)


def align(traces: Mapping[int, RankTrace], groups: Sequence[Matched]) -> Clocks:
    """Find the offsets, and put the groups' times on one clock, in place."""
    first = min(traces)
    offset_ns, residual_ns = {first: 0}, {}
    waiting = [group for group in groups if len(_ends(group))]
    moved = True
    while moved:
        moved = False
        for group in waiting:
            known = [rank for rank in group.ranks if rank in offset_ns]
            for rank in group.ranks if known else ():
                if rank in offset_ns:
                    continue
                own, other = group.ranks.index(rank), group.ranks.index(known[0])
                one_host = traces[rank].device_id != traces[known[0]].device_id
                offset, residual = _between(group, own, other, one_host=one_host)
                offset_ns[rank] = offset_ns[known[0]] + offset
                residual_ns[rank] = residual
                moved = True
    for group in groups:
        for row, rank in enumerate(group.ranks):
            ahead_ns = offset_ns.get(rank, 0)
            group.start_ns[row] -= ahead_ns
            group.end_ns[row] -= ahead_ns
            group.launch_ns[row] -= ahead_ns
    return Clocks(offset_ns, residual_ns, shared=not any(offset_ns.values()))


def _ends(group: Matched) -> list[int]:
    """The columns by which clocks are told."""
    return [
        i for i, kind in enumerate(group.kinds) if any(word in kind.name.lower().replace("_", "") for word in _WHOLE)
    ]


def _between(group: Matched, own: int, other: int, *, one_host: bool) -> tuple[int, int]:
    """Offset of a rank against another, and its residual."""
    columns = _ends(group)
    ends = group.end_ns[own, columns] - group.end_ns[other, columns]
    starts = group.start_ns[own, columns] - group.start_ns[other, columns]
    offset = _median(ends)
    residual = _agreeing(ends - offset)
    if abs(offset) <= residual or (one_host and abs(offset) <= SHARED_NS and not _shifted(offset, _median(starts))):
        # Ends that are late while starts are not are the network's doing, not the clock's.
        return 0, residual
    return offset, residual


def _shifted(ends_ns: int, starts_ns: int) -> bool:
    return abs(starts_ns - ends_ns) <= abs(ends_ns) // 2


def _median(values: I64) -> int:
    return int(np.sort(values)[(len(values) - 1) // 2])


def _agreeing(values: I64) -> int:
    """How far three quarters of the values are from 0 at most."""
    return int(np.sort(np.abs(values))[int(AGREEING * (len(values) - 1))])

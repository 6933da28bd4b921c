"""One clock for all ranks: of one host it is shared; else the offset is read off the ends of collectives.

Nobody leaves an all-reduce before everybody has entered it and its data has gone around, so that its kernels end
together; in a ring within about the time of one step. The offset is the median over all that two ranks share, the
residual how far three quarters of them agree with it. A drift of a clock is not taken out: it shows as a residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.errors import InputError
from tracer.document.ranks import CPU
from tracer.ranks.matched import everybody_waits
from tracer.ranks.rank import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import I64, Bools
    from tracer.ranks.matched import Matched
    from tracer.ranks.rank import RankTrace

# Clocks of one host never differ by more.
SHARED_NS = 1_000_000
AGREEING = 0.75
# Of ranks of one run nobody leaves a collective that somebody has not entered; clocks that drift make some look so.
IMPOSSIBLE = 0.25
# Of collectives that nothing but a name tells of, so many: they are of several groups.
SEVERAL = 0.02


@dataclass(frozen=True, slots=True)
class Clocks:
    """By how much each rank's clock is ahead of that of the first rank that collectives join it to.

    Attributes:
        offset_ns: by rank.
        first: by rank, whose clock that is; ranks with the same one can be compared.
        residual_ns: by rank, how well the offset is known; not of those that are first.
    """

    offset_ns: dict[int, int]
    first: dict[int, int]
    residual_ns: dict[int, int]

    @property
    def shared(self) -> bool:
        """Whether all times are comparable as they are."""
        return not any(self.offset_ns.values())

    @property
    def worst_ns(self) -> int | None:
        """The largest residual; None where nothing was compared."""
        return max(self.residual_ns.values(), default=None)


def align(traces: Mapping[int, RankTrace], groups: Sequence[Matched]) -> Clocks:
    """Find the offsets, and put the groups' times on one clock, in place."""
    clocks = Clocks({}, {}, {})
    # By those with the most to tell.
    telling = sorted((group for group in groups if len(_ends(group))), key=lambda group: -len(_ends(group)))
    for rank in sorted(traces):
        if rank not in clocks.first:
            clocks.first[rank], clocks.offset_ns[rank] = rank, 0
            while any(_join(clocks, group, traces) for group in telling):
                pass
    for group in groups:
        for row, rank in enumerate(group.ranks):
            ahead_ns = clocks.offset_ns[rank]
            group.start_ns[row] -= ahead_ns
            group.end_ns[row] -= ahead_ns
            known = group.launch_ns[row] != UNKNOWN
            group.launch_ns[row][known] -= ahead_ns
    return clocks


def refuse_impossible(traces: Mapping[int, RankTrace], groups: Sequence[Matched]) -> None:
    """Refuse ranks whose collectives often end on one before they begin on another, whatever their clocks.

    Raises:
        InputError: they do.
    """
    for group in groups:
        early = _too_early(group)
        if _often(early > 0, IMPOSSIBLE):
            column = _ends(group)[int(early.argmax())]
            last = group.ranks[int(group.start_ns[:, column].argmax())]
            first = group.ranks[int(group.end_ns[:, column].argmin())]
            raise InputError(
                f"{traces[first].path}: its collectives end before the same ones begin in {traces[last].path}, by up "
                f"to {early.max() / 1e6:,.3g} ms: they are not of one run, or a clock ran away"
            )


def of_several(group: Matched, clocks: Clocks) -> bool:
    """Whether what was taken for one group's, as nothing but names tells, is that of several.

    Then some of its collectives end on a rank before they begin on another, by more than clocks explain, or many do.
    """
    if not group.by_name:
        return False
    unknown_ns = max((clocks.residual_ns.get(rank, 0) for rank in group.ranks), default=0)
    early = _too_early(group)
    return _often(early > unknown_ns, SEVERAL) or _often(early > 0, IMPOSSIBLE)


def _often(which: Bools, share: float) -> bool:
    return int(np.count_nonzero(which)) > share * len(which)


def _too_early(group: Matched) -> I64:
    """By how much each telling collective ends on one rank before it begins on another; negative where it does not."""
    columns = _ends(group)
    return int64(group.start_ns[:, columns].max(axis=0) - group.end_ns[:, columns].min(axis=0))


def _join(clocks: Clocks, group: Matched, traces: Mapping[int, RankTrace]) -> bool:
    """Place the ranks of a group by one of them that has its place; whether any was."""
    known = next((rank for rank in group.ranks if rank in clocks.first), None)
    waiting = [rank for rank in group.ranks if rank not in clocks.first]
    if known is None or not waiting:
        return False
    for rank in waiting:
        own, other = group.ranks.index(rank), group.ranks.index(known)
        offset_ns, residual_ns = _between(group, own, other, one_host=_of_one_host(traces[rank], traces[known]))
        if _of_one_clock(traces[rank], traces[known]) and abs(offset_ns) <= SHARED_NS:
            offset_ns = 0
        clocks.residual_ns[rank] = residual_ns + clocks.residual_ns.get(known, 0)
        clocks.offset_ns[rank], clocks.first[rank] = clocks.offset_ns[known] + offset_ns, clocks.first[known]
    return True


def _of_one_host(one: RankTrace, other: RankTrace) -> bool:
    """Whether two ranks say so, or have devices of different numbers."""
    return one.device_id != other.device_id or (one.distributed.host == other.distributed.host != "")


def _of_one_clock(one: RankTrace, other: RankTrace) -> bool:
    """Whether both ran on the CPU of one machine, whose clock both read."""
    return one.device == other.device == CPU and one.distributed.host == other.distributed.host != ""


def _ends(group: Matched) -> list[int]:
    """The columns by which clocks are told."""
    return [i for i, kind in enumerate(group.kinds) if everybody_waits(kind)]


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

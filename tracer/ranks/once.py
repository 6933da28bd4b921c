"""Each lateness counted once, where a rank is in several groups.

A rank that came late to a collective of one group comes late to the next one of another group too, by the same time:
those ranks did not wait for it before. What it is late by there is what it was not yet late by since that group last
met.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.arrays import I64
    from tracer.ranks.late import Lateness
    from tracer.ranks.matched import Matched


def counted_once(late: Sequence[tuple[Matched, Lateness]], residual_ns: int) -> list[tuple[Matched, Lateness]]:
    """The same with `own_ns`: of each `late_ns` what was not counted at another group's collective before."""
    own = [one.late_ns.copy() for _, one in late]
    in_groups: dict[int, list[int]] = {}
    for number, (group, _) in enumerate(late):
        for rank in group.ranks:
            in_groups.setdefault(rank, []).append(number)
    for rank, numbers in in_groups.items():
        if len(numbers) > 1:
            _count(rank, [(late[number], own[number]) for number in numbers], residual_ns)
    return [(group, replace(one, own_ns=int64(owned))) for (group, one), owned in zip(late, own, strict=True)]


def _count(rank: int, groups: Sequence[tuple[tuple[Matched, Lateness], I64]], residual_ns: int) -> None:
    """Take what a rank was late by already off its lateness, in place, in the order of time."""
    moments: list[tuple[int, int, int]] = []
    for place, ((group, one), _) in enumerate(groups):
        row = group.ranks.index(rank)
        columns = np.flatnonzero((one.last == row) | (one.slower_ns[row] > residual_ns))
        moments += [(int(group.start_ns[row, column]), place, column) for column in columns.tolist()]
    times: list[int] = []
    sums = [0]
    for start, place, column in sorted(moments):
        (group, one), own = groups[place]
        row = group.ranks.index(rank)
        counted = 0
        if one.last[column] == row:
            since = int(group.end_ns[row, column - 1]) if column else -(1 << 62)
            before = sums[-1] - sums[bisect_left(times, since)]
            own[column] = counted = max(0, int(own[column]) - before)
        slower = int(one.slower_ns[row, column])
        times.append(start)
        sums.append(sums[-1] + counted + (slower if slower > residual_ns else 0))

"""Each lateness counted once, where a rank is in several groups.

A rank that came late to a collective of one group comes late to the next one of another group too, by the same time:
those ranks did not wait for it before. What it is late by there is what it was not yet late by since that group last
met.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from itertools import accumulate
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
    own = [one.own_ns.copy() for _, one in late]
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
    slower: list[tuple[int, int]] = []
    for place, ((group, one), _) in enumerate(groups):
        row = group.ranks.index(rank)
        moments += [(int(group.start_ns[row, at]), place, at) for at in np.flatnonzero(one.last == row).tolist()]
        slow = np.flatnonzero(one.slower_ns[row] > residual_ns).tolist()
        slower += [(int(group.end_ns[row, at]), int(one.slower_ns[row, at])) for at in slow]
    slower.sort()
    ends, slow_sums = [end for end, _ in slower], [0, *accumulate(ns for _, ns in slower)]
    times: list[int] = []
    sums = [0]
    for start, place, column in sorted(moments):
        (group, _), own = groups[place]
        since = int(group.end_ns[group.ranks.index(rank), column - 1]) if column else -(1 << 62)
        before = sums[-1] - sums[bisect_left(times, since)]
        before += slow_sums[bisect_right(ends, start)] - slow_sums[bisect_right(ends, since)]
        own[column] = max(0, int(own[column]) - before)
        times.append(start)
        sums.append(sums[-1] + int(own[column]))

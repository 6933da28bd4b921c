"""How much more work than others a rank's device was given before each collective, by the order of launches.

Work that overlaps a collective runs while a rank waits there, and behind it on the rank that the others wait for. So by
the times of kernels a rank that was late once has more to do before every later collective. What hosts launch between
two collectives is the same on every rank, whenever it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.ranks.rank import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracer.arrays import I64, Bools
    from tracer.ranks.clocks import Clocks
    from tracer.ranks.matched import Matched
    from tracer.ranks.rank import RankTrace


def given(group: Matched, traces: Mapping[int, RankTrace], clocks: Clocks) -> I64 | None:
    """The kernels' time that each rank launched since the group's collective before: a matrix.

    None where launches do not tell: some are unknown, or several collectives are of one, as in a graph.
    """
    if (group.launch_ns == UNKNOWN).any() or (np.diff(group.launch_ns, axis=1) <= 0).any():
        return None
    found = np.zeros_like(group.start_ns)
    for row, rank in enumerate(group.ranks):
        trace = traces[rank]
        rows = np.flatnonzero(trace.kind < 0)
        launch_ns = trace.launch_ns[rows]
        if (launch_ns == UNKNOWN).any():
            return None
        order = np.argsort(launch_ns, kind="stable")
        sums = np.append(0, np.cumsum((trace.end_ns - trace.start_ns)[rows][order]))
        before = sums[np.searchsorted(launch_ns[order], group.launch_ns[row] + clocks.offset_ns.get(rank, 0))]
        found[row] = np.diff(before, prepend=0)
    return int64(found)


def owed(more_ns: I64, last: I64, waited_for: Bools) -> I64:
    """What of being late at each collective the device of the last rank can be blamed for.

    Args:
        more_ns: what each was given more than the others: a matrix.
        last: the row of the last rank.
        waited_for: of which collectives nobody leaves before all have come; past others it is carried on.
    """
    found = np.zeros_like(last)
    carried = np.zeros(len(more_ns), dtype=np.int64)
    for column in range(len(last)):
        carried = np.maximum(carried + more_ns[:, column], 0)
        found[column] = carried[last[column]]
        if waited_for[column]:
            carried[:] = 0
    return found

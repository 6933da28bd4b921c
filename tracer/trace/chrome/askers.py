"""Which CPU operators are kept of a file that has very many: those by which work goes, and those within no other.

Most hold no launch of their own and lie inside others: nothing that a summary says changes without them, of a device's
work by operator or of the time in which any operator was open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import ascending, coded, int64
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracer.arrays import I32, I64, Bools, Column

# Fewer take so little memory that all are kept.
MANY = 100_000
# So many operators that are over by the time of a call are passed over, to find the innermost that is not.
PASSED = 8
PROJECTIONS = ("aten::linear",)
ATTENTIONS = ("aten::scaled_dot_product_attention",)
# Their shapes tell prompts from decode steps.
TELLING = (*PROJECTIONS, *ATTENTIONS)


class Askers:
    """Chooses among the operators of a file, a batch at a time.

    Args:
        names: of the file, in their order.
        thread_of_track: the thread of each track.
        called_ns, thread: when each of its host calls began, and on which thread.
        ids: External ids of the calls and of the work, NO_CORRELATION among them.
    """

    def __init__(self, names: Iterable[str], thread_of_track: I32, called_ns: Column, thread: I32, ids: Column) -> None:
        self._telling = np.array([name in TELLING for name in names], dtype=np.bool_)
        self._thread = thread_of_track
        numbers = np.flatnonzero(np.bincount(thread)).tolist()
        self._asked = {number: ascending(int64(called_ns[thread == number])) for number in numbers}
        ids = ascending(ids)
        self._ids = ids[np.searchsorted(ids, NO_CORRELATION, side="right") :]  # nothing is less

    def among(self, start_ns: I64, end_ns: I64, name: I64, track: I64, of_operator: I64, shape: I64) -> Bools:
        """Which of these to keep: those in which a call of their thread lies, and in none inside them; those that have
        the id of one, tell by their shapes, or lie in no other of these; and one with a shape, if any has one."""
        kept = np.asarray(self._telling[name] | self._named(of_operator), dtype=np.bool_)
        kept[np.flatnonzero(shape >= 0)[:1]] = True
        thread = self._thread[track]
        for number in coded(thread)[0].tolist():
            own = np.flatnonzero(thread == number)
            start, end = start_ns[own], end_ns[own]
            order = np.lexsort((-end, start))
            own, start, end = own[order], start[order], end[order]
            kept[own[_innermost(start, end, self._asked.get(number, int64([])))]] = True
            reach = np.maximum.accumulate(end)
            kept[own[np.append(True, end[1:] > reach[:-1])]] = True
        return kept

    def _named(self, of_operator: I64) -> Bools:
        if not len(self._ids):
            return np.zeros(len(of_operator), dtype=np.bool_)
        place = np.minimum(np.searchsorted(self._ids, of_operator), len(self._ids) - 1)
        return np.asarray(self._ids[place] == of_operator, dtype=np.bool_)


def _innermost(start_ns: I64, end_ns: I64, asked_ns: I64) -> Bools:
    """Which intervals are the innermost that holds one of these times; where that is far to seek, all that hold it.

    Args:
        start_ns, end_ns: of the intervals, in the order of their start and of equal ones the longest first.
        asked_ns: the times, in order.
    """
    first, last = np.searchsorted(asked_ns, [start_ns[0], end_ns.max()])
    asked = asked_ns[first:last]
    found = np.zeros(len(start_ns), dtype=np.bool_)
    place = np.searchsorted(start_ns, asked, side="right") - 1
    for _ in range(PASSED):
        held = end_ns[place] > asked
        found[place[held]] = True
        further = ~held & (place > 0)
        asked, place = asked[further], place[further] - 1
    if len(asked):
        found |= np.searchsorted(asked, start_ns) < np.searchsorted(asked, end_ns)
    return found

"""Which CPU operators are kept of a file that has very many: those by which work goes, and those within no other.

Two in three hold no launch and lie inside others: nothing that a summary says changes without them, of a device's work
by operator or of the time in which any operator was open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import ascending, coded, int64
from tracer.trace.columns import NO_CORRELATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracer.arrays import I32, I64, Bools, Column

# Fewer take so little memory that all are kept.
MANY = 100_000
PROJECTIONS = ("aten::linear",)
ATTENTIONS = ("aten::scaled_dot_product_attention",)
# Their shapes tell prompts from decode steps.
TELLING = (*PROJECTIONS, *ATTENTIONS)


class Askers:
    """Chooses among the operators of a file, a batch at a time.

    Args:
        names: of the file, in their order.
        thread_of_track: the thread of each track.
        calls: columns of its host calls; the first is their starts, the fourth their tracks.
        ids: External ids of the calls and of the work, NO_CORRELATION among them.
    """

    def __init__(self, names: Iterable[str], thread_of_track: I32, calls: Sequence[Column], ids: Column) -> None:
        self._telling = np.array([name in TELLING for name in names], dtype=np.bool_)
        self._thread = thread_of_track
        thread = thread_of_track[calls[3]]
        numbers = np.flatnonzero(np.bincount(thread)).tolist()
        self._asked = {number: ascending(calls[0][thread == number]) for number in numbers}
        ids = ascending(ids)
        self._ids = ids[np.searchsorted(ids, NO_CORRELATION, side="right") :]  # nothing is less

    def among(self, start_ns: I64, end_ns: I64, name: I64, track: I64, of_operator: I64, shape: I64) -> Bools:
        """Which of these to keep: those that hold a call of their thread, have the id of one, tell by their shapes,
        or lie in no other of these; and one with a shape, if any has one."""
        kept = np.asarray(self._telling[name] | self._named(of_operator), dtype=np.bool_)
        kept[np.flatnonzero(shape >= 0)[:1]] = True
        thread = self._thread[track]
        for number in coded(thread)[0].tolist():
            own = np.flatnonzero(thread == number)
            start, end = start_ns[own], end_ns[own]
            asked = self._asked.get(number, int64([]))
            kept[own[np.searchsorted(asked, start) < np.searchsorted(asked, end)]] = True
            order = np.lexsort((-end, start))
            reach = np.maximum.accumulate(end[order])
            kept[own[order[np.append(True, end[order][1:] > reach[:-1])]]] = True
        return kept

    def _named(self, of_operator: I64) -> Bools:
        if not len(self._ids):
            return np.zeros(len(of_operator), dtype=np.bool_)
        place = np.minimum(np.searchsorted(self._ids, of_operator), len(self._ids) - 1)
        return np.asarray(self._ids[place] == of_operator, dtype=np.bool_)

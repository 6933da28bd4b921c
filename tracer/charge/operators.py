"""From device work to the CPU operator that asked for it.

That is the innermost operator open on the launching thread at the launch. Where none is open there, the profiler's
"External id", which it copies from the operator to what the operator launches, may still name one. Not every file's
ids can be believed: PyTorch of 2023 and before numbered operators and what they launched apart. An operator runs while
it launches, so the launch is looked for inside the named operator, on whichever thread that ran.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.intervals import PIECE
from tracer.charge.spans import MOST_PIECES, innermost_span
from tracer.packed import some
from tracer.trace.columns import NO_CORRELATION, NO_THREAD

if TYPE_CHECKING:
    from tracer.arrays import I32, I64
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

# Of the ids that name an operator at all, this share must name one that was open at the launch.
BELIEVED = 0.9


@dataclass(frozen=True, slots=True)
class Operators:
    """The operators of device ops.

    Attributes:
        row: of each device op, index of its CPU operator; -1 where none is known.
        by_id: how many are known by their External id alone.
        wrong_ids: how many External ids name an operator that was not open at the launch.
    """

    row: I32
    by_id: int = 0
    wrong_ids: int = 0


def operators_of(trace: Trace, work: Work) -> Operators:
    """Find the operator of each device op.

    Args:
        trace: with its CPU operators, and details where ids are to be used.
        work: its device ops.
    """
    unique, row = _are_unique(trace), np.full(len(work), -1, dtype=np.int32)
    by_id: list[tuple[I64, I64]] = []
    wrong = checked = 0
    # In parts: all together take many times their own memory.
    size = max(PIECE, -(-len(work) // MOST_PIECES))
    for at in range(0, len(work), size):
        part = slice(at, at + size)
        thread, call = some(work, "call_thread", part), some(work, "call", part)
        launched = thread != NO_THREAD
        times = np.where(launched, work.called_ns(part), some(work, "start_ns", part))
        own = np.full(len(times), -1, dtype=np.int64)
        own[launched] = innermost_span(trace.cpu_ops, times[launched], thread[launched])
        row[part] = own
        if trace.details is None:
            continue
        ids = some(trace.details, "of_op", part).copy()
        told = ids == NO_CORRELATION
        told &= call >= 0
        if told.any():
            ids[told] = trace.details.of_call[call[told]]
        named = _named(trace, ids, times, own, unique=unique)
        known = named >= 0
        # Without a launch record all that is known is that the operator began before its work did.
        end = np.where(launched, trace.cpu_ops.end_ns[named], np.iinfo(np.int64).max) if len(trace.cpu_ops) else times
        fits = known & (times < end)
        checked += int(np.count_nonzero(known & launched))
        wrong += int(np.count_nonzero(known & launched & ~fits))
        missing = np.flatnonzero(fits & (own < 0))
        by_id.append((missing + at, named[missing]))
    if wrong > (1 - BELIEVED) * checked:
        return Operators(row, wrong_ids=wrong)
    for rows, named in by_id:
        row[rows] = named
    return Operators(row, by_id=sum(len(rows) for rows, _ in by_id), wrong_ids=wrong)


def _are_unique(trace: Trace) -> bool:
    """Whether no two operators have one id."""
    if trace.details is None:
        return True
    numbers = trace.details.of_operator[trace.details.of_operator != NO_CORRELATION]
    numbers.sort()
    return not (numbers[1:] == numbers[:-1]).any()


def _named(trace: Trace, ids: I64, times_ns: I64, row: I64, *, unique: bool) -> I64:
    """The operator that each id names at each time; -1 without one.

    Args:
        trace: with details.
        ids, times_ns: what to look for.
        row: of each the operator that was open then, -1 without: where ids are unique, none else needs looking for.
        unique: whether no two operators have one id.
    """
    if not unique:
        return _by_id(trace, ids, times_ns)
    given = ids != NO_CORRELATION
    found = np.full(len(ids), -1, dtype=np.int64)
    if trace.details is not None:
        open_then = np.flatnonzero(given & (row >= 0))
        open_then = open_then[trace.details.of_operator[row[open_then]] == ids[open_then]]
        found[open_then] = row[open_then]
    rest = np.flatnonzero((found < 0) & given)
    if len(rest):
        found[rest] = _by_id(trace, ids[rest], times_ns[rest])
    return found


def _by_id(trace: Trace, ids: I64, times_ns: I64) -> I64:
    """The operator with each id that was the last to begin at each time or before; -1 without one.

    Processes number their operators alike, so that an id may occur more than once.
    """
    of_operator = trace.details.of_operator if trace.details is not None else int64([])
    usable = np.flatnonzero((of_operator != NO_CORRELATION) & np.isin(of_operator, ids))
    if not len(usable):
        return np.full(len(ids), -1, dtype=np.int64)
    values, code = coded(of_operator[usable])
    starts = np.sort(trace.cpu_ops.start_ns[usable])
    # Id and rank of the time in one number.
    width = len(starts) + 1
    key = code * width + np.searchsorted(starts, trace.cpu_ops.start_ns[usable], side="right")
    order = np.argsort(key, kind="stable")
    place = np.minimum(np.searchsorted(values, ids), len(values) - 1)
    asked = place * width + np.searchsorted(starts, times_ns, side="right")
    last = np.searchsorted(key[order], asked, side="right") - 1
    found = order[np.maximum(last, 0)]
    good = (last >= 0) & (code[found] == place) & (values[place] == ids)
    return int64(np.where(good, usable[found], -1))

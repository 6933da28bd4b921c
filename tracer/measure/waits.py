"""The waits of decode steps, and how long the device has nothing to do behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES, DECODE
from tracer.measure.counts import outermost_waits

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


@dataclass(frozen=True, slots=True)
class Waits:
    """The outermost synchronising calls inside decode steps.

    Attributes:
        calls: their indices among the host's calls.
        names: what is called, for each.
        gaps_ns: gaps before the first op that each wait's thread launches after it, where the device ran dry during the
            wait; each gap once.
    """

    calls: I64
    names: list[str]
    gaps_ns: int


def waits_of_decode(trace: Trace, ranges: StageRanges, work: Work) -> Waits:
    """Find them, in a trace with device ops."""
    waits = outermost_waits(trace)
    holder = innermost_span(ranges, trace.calls.start_ns[waits], int64(trace.calls.thread[waits]))
    decoding = (holder >= 0) & (ranges.stage[np.maximum(holder, 0)] == ALL_STAGES.index(DECODE))
    waits = int64(waits[decoding])
    return Waits(
        calls=waits,
        names=[trace.strings[name] for name in trace.calls.name[waits].tolist()],
        gaps_ns=_gaps_behind(trace, work, waits),
    )


def _gaps_behind(trace: Trace, work: Work, waits: I64) -> int:
    calls = trace.calls
    first_op = _first_op_of_call(len(calls), work)
    launches = np.flatnonzero(first_op >= 0)
    dry: set[int] = set()
    for thread in distinct(calls.thread[waits]):
        own = launches[calls.thread[launches] == thread]
        starts = calls.start_ns[own]
        if (starts[1:] < starts[:-1]).any():
            own = own[np.argsort(starts, kind="stable")]
        ends = calls.end_ns[waits[calls.thread[waits] == thread]]
        place = np.searchsorted(calls.start_ns[own], ends)
        ends, place = ends[place < len(own)], place[place < len(own)]
        behind = first_op[own[place]]
        dry.update(behind[work.start_ns[behind] - work.gap_ns[behind] <= ends].tolist())
    return int(work.idle_ns[sorted(dry)].sum()) if dry else 0


def _first_op_of_call(calls: int, work: Work) -> I64:
    """For each host call the op of it that started first, or -1."""
    call = work.call
    launched = np.flatnonzero(call >= 0)
    latest_first = launched[np.argsort(work.start_ns[launched], kind="stable")][::-1]
    first = np.full(calls, -1, dtype=np.int64)
    first[call[latest_first]] = latest_first
    return first

"""The waits of decode steps, and how long the device has nothing to do behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int32, int64, is_ascending
from tracer.charge.intervals import distinct, sum_by
from tracer.charge.spans import innermost_span
from tracer.document.names import ALL_STAGES, DECODE
from tracer.measure.counts import outermost_waits

if TYPE_CHECKING:
    from tracer.arrays import I32, I64, Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace


# So many times what the usual step has, and it was not the wait: a pause of the host's, or of requests.
PAUSE = 10


@dataclass(frozen=True, slots=True)
class Waits:
    """The outermost synchronising calls inside decode steps.

    Attributes:
        calls: their indices among the host's calls.
        names: what is called, for each.
        gaps_ns: gaps before the first op that each wait's thread launches after it, where the device ran dry during the
            wait; each gap once, and none that work of a stage before decoding ends. Those of a step that are far longer
            than the usual step's count as these: something else held the host up.
    """

    calls: I64
    names: list[str]
    gaps_ns: int


def waits_of_decode(trace: Trace, ranges: StageRanges, work: Work) -> Waits:
    """Find them, in a trace with device ops."""
    waits = outermost_waits(trace)
    holder = innermost_span(ranges, trace.calls.start_ns[waits], int64(trace.calls.thread[waits]))
    decoding = (holder >= 0) & (ranges.stage[np.maximum(holder, 0)] == ALL_STAGES.index(DECODE))
    waits, holder = int64(waits[decoding]), int64(holder[decoding])
    return Waits(
        calls=waits,
        names=[trace.strings[name] for name in trace.calls.name[waits].tolist()],
        gaps_ns=_gaps_behind(trace, work, waits, holder, _of_another_request(ranges, work)),
    )


def _of_another_request(ranges: StageRanges, work: Work) -> Bools:
    """Which work is of stages before decoding: it comes no later for the wait of a request that is over."""
    before = np.append(ranges.stage < ALL_STAGES.index(DECODE), False)  # nobody's is at the end
    return np.asarray(before[work.stage], dtype=np.bool_)


def _gaps_behind(trace: Trace, work: Work, waits: I64, step: I64, others: Bools) -> int:
    calls = trace.calls
    first_op = _first_op_of_call(len(calls), work)
    launches = int32(np.flatnonzero(first_op >= 0))
    dry: dict[int, int] = {}
    for thread in distinct(calls.thread[waits]):
        own = launches[calls.thread[launches] == thread]
        starts = calls.start_ns[own]
        if not is_ascending(starts):
            own = own[np.argsort(starts, kind="stable")]
            starts.sort()
        asked = np.flatnonzero(calls.thread[waits] == thread)
        place = np.searchsorted(starts, calls.end_ns[waits[asked]])
        asked, place = asked[place < len(own)], place[place < len(own)]
        ends = calls.end_ns[waits[asked]]
        behind = int64(first_op[own[place]])
        gap_ns = _idle_ns(work, behind) + work.between_ns[behind]
        ran_dry = (work.start_ns[behind] - gap_ns <= ends) & ~others[behind]
        dry.update(zip(behind[ran_dry].tolist(), step[asked[ran_dry]].tolist(), strict=True))
    steps, place = coded(int64(list(dry.values())))
    return _without_pauses(sum_by(place, _idle_ns(work, int64(list(dry))), len(steps)))


def _without_pauses(steps_ns: I64) -> int:
    """The sum of what steps have, of which one that has far more than most counts as these."""
    some = steps_ns[steps_ns > 0]
    usual_ns = int(np.median(some)) if len(some) else 0
    return int(np.where(steps_ns > PAUSE * usual_ns, usual_ns, steps_ns).sum())


def _idle_ns(work: Work, rows: I64) -> I64:
    """`Work.idle_ns` of some of it alone."""
    return int64(sum(getattr(work, name)[rows] for name in ("host_ns", "sync_ns", "launch_ns", "unknown_ns")))


def _first_op_of_call(calls: int, work: Work) -> I32:
    """For each host call the op of it that started first, or -1."""
    call = int32(work.call)
    launched = int32(np.flatnonzero(call >= 0))
    if not is_ascending(starts := work.start_ns[launched]):
        launched = launched[np.argsort(starts, kind="stable")]
    del starts
    latest_first = launched[::-1]
    first = np.full(calls, -1, dtype=np.int32)
    first[call[latest_first]] = latest_first
    return first

"""What makes a critical path through a part of a trace wrong, whoever looks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.lost import outermost_calls
from tracer.document.summary import ALL_WORK, UNJOINED, UNWORKED, WAITING, Abstained, Lost
from tracer.document.words import counted
from tracer.measure.threads import ALL_THREADS, weights
from tracer.trace.api import launches_graph
from tracer.trace.columns import MISSING

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.lost import LostWork
    from tracer.document.summary import Summary
    from tracer.trace.columns import Trace

CHROME = "chrome"
OF_A_GRAPH = "of each, one kernel alone is joined to its launch, so that the others would be gaps on the path"
WITHOUT_GRAPHS = "look at a range without replays, or record without graphs"
NO_WORK = "it has no device work, which HolisticTraceAnalysis needs for a critical path"
SILENT = (
    "of the threads that launched most of it the file has no operator, range or Python frame, so that what they did "
    "would be gaps on the path"
)
OF_A_CPU = "where a CPU's time goes, tracer summarize --by op says"
NO_CHROME = "HolisticTraceAnalysis reads Chrome traces of torch.profiler alone"


def pathless(summary: Summary) -> str:
    """Why a trace has no critical path at all; "" if it may have some."""
    told = {one.what: one.because for one in summary.abstained}
    if summary.trace.format != CHROME:
        return NO_CHROME
    if summary.device.kind != "gpu":
        if isinstance(summary.lost, Lost):
            return f"{summary.lost.reason}; {summary.lost.next_step}"
        return f"{NO_WORK}: {told[UNWORKED]}" if UNWORKED in told else f"{NO_WORK}; {OF_A_CPU}"
    unsure = next((because for what, because in told.items() if what.startswith(ALL_WORK)), "")
    if unsure:
        return f"a path may lack work: {unsure}"
    apart = told.get(UNJOINED) or told.get(WAITING)
    if apart:
        return f"no path leads from the host to the device and back: {apart}"
    return f"a path may lack work: {SILENT}; {ALL_THREADS}" if _is_silent(summary) else ""


def _is_silent(summary: Summary) -> bool:
    """Whether threads of which nothing but calls was recorded launched most of the work."""
    worked = weights(summary.threads)
    return 2 * sum(much for row, much in zip(summary.threads, worked, strict=True) if row.silent) > sum(worked)


def unwalkable(trace: Trace, lost: LostWork, summary: Summary, instance: tuple[int, int]) -> Abstained | None:
    """Why there is no critical path through a part of a trace, from `instance[0]` to `instance[1]` in nanoseconds.

    What any thread launched in it is on the path or beside it. Where the work of some of these launches is missing, or
    cannot be joined to them, its time would be called a gap, or the host's.
    """
    what, calls = "the critical path", trace.calls.start_ns
    missing = _within(calls[lost.calls], instance)
    if missing and isinstance(summary.lost, Lost):
        lack = counted(missing, "launch in it has no device op", "launches in it have no device op")
        reason = f"{lack}: {summary.lost.reason}"
        return Abstained(what=what, reason=reason, next_step=summary.lost.next_step)
    replays = _within(calls[outermost_calls(trace, launches_graph)], instance)
    if replays:
        reason = f"{counted(replays, 'replay of a graph', 'replays of graphs')} in it: {OF_A_GRAPH}"
        return Abstained(what=what, reason=reason, next_step=WITHOUT_GRAPHS)
    return None


def instances(trace: Trace, name: str) -> list[tuple[int, int]]:
    """When the ranges with this in their name begin and end, in nanoseconds, in the order of their beginning.

    Of no name, the whole trace.
    """
    if not name:
        return [(MISSING, -MISSING)]
    ranges = trace.ranges
    named = np.array([name in text for text in trace.strings], dtype=np.bool_)
    rows = np.flatnonzero(named[ranges.name])
    return sorted(zip(ranges.start_ns[rows].tolist(), ranges.end_ns[rows].tolist(), strict=True))


def _within(times_ns: I64, instance: tuple[int, int]) -> int:
    return int(np.count_nonzero((times_ns >= instance[0]) & (times_ns <= instance[1])))

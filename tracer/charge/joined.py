"""Whether a trace's device ops can be joined to launches at all: else no stage is known to have asked for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.charge.stages.ranges import StageRanges, Untold
from tracer.document.summary import UNJOINED
from tracer.document.words import counted
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.charge.work import Work
    from tracer.trace.columns import Trace

NO_LAUNCHES = "record the host too (ProfilerActivity.CPU), with a profiler that records its launches"
# Where ranges are there, the host was recorded, and this profiler keeps none of the calls.
NO_CALLS = "record with a profiler that writes the runtime's calls too, and which op each asked for"
NO_NUMBERS = "record with a profiler that writes which launch each op is of (a correlation), as torch.profiler does"


def without_joins(trace: Trace, ranges: StageRanges, work: Work) -> StageRanges | None:
    """No stages, and why, where no device op has a launch; None where the stages may stay as they are.

    A stage with no op would else seem to have asked for nothing. What is cut out of a trace has its stages from there,
    where some ops had launches, although none of these may be in it.
    """
    untold = unjoined(trace, work) if len(ranges) and trace.part is None else None
    return None if untold is None else replace(StageRanges.none(), untold=untold)


def unjoined(trace: Trace, work: Work) -> Untold | None:
    """Why no device op has a launch; None where some have, or there are none."""
    if not work.on_device or (work.call >= 0).any():
        return None
    ops = counted(len(work), "op")
    reason = f"none of {ops} has a launch record: the trace holds no calls of a runtime"
    next_step = NO_CALLS if len(trace.ranges) else NO_LAUNCHES
    if len(trace.calls):
        reason, next_step = f"none of {ops} bears the number of a call, so that nothing joins them to any", NO_NUMBERS
    return Untold(what=UNJOINED, reason=reason, next_step=next_step, needs=Want(0))

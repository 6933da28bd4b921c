"""How far the step of a serving engine reaches: its range may hold the forward pass alone.

vLLM annotates the model's execution; logits, sampling and the copy of the tokens to the host come behind that range
since late 2025. A step lasts from the beginning of its range to the last call that its thread makes before the next
step. Where the next step decodes, requests were in flight in between, so what is left of the time is theirs as well,
unless it is longer than all of the step. Between two steps that decode it is theirs however long, if the engine
processes prompts too: no request gets there otherwise. Engines that only decode get theirs from elsewhere, and have
pauses. The last step has none behind it; it reaches as far as the others do at most, for whoever stops a profiler makes
calls too. A whole pass more behind a step is none of its work (`unlabelled`), and the step ends before it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import PIECE, distinct, outermost
from tracer.charge.stages.unlabelled import NEVER, passes_behind
from tracer.document.names import ALL_STAGES, DECODE, DRAFT, MIXED, PREFILL

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.stages.ranges import StageRanges
    from tracer.trace.columns import Trace

_IN_FLIGHT = tuple(map(ALL_STAGES.index, (DECODE, DRAFT, MIXED)))
_PROMPTS = tuple(map(ALL_STAGES.index, (PREFILL, MIXED)))


def reaching(trace: Trace, ranges: StageRanges) -> StageRanges:
    """The same steps with their whole time; ranges inside others stay as they are."""
    end_ns = ranges.end_ns.copy()
    for thread in distinct(ranges.thread):
        own = np.flatnonzero(ranges.thread == thread)
        steps = own[outermost(ranges.start_ns[own], ranges.end_ns[own])]
        end_ns[steps] = _ends(trace, ranges, steps)
    return replace(ranges, end_ns=end_ns)


def until_done(ranges: StageRanges, stage: I64, end_ns: I64) -> StageRanges:
    """The stages as far as they are open: a step of an engine until all that it asked for has run.

    Engines launch ahead and put no wait into a step's range: what the device idles between two kernels of one step is
    that step's, although the host is through with it. A step that decodes and follows soon reaches back to it as above.

    Args:
        ranges: the stages.
        stage: of each op its range, -1 outside all.
        end_ns: of each op.
    """
    if not ranges.engine:
        return ranges
    until = ranges.end_ns.copy()
    for at in range(0, len(stage), PIECE):
        own = stage[at : at + PIECE]
        held = np.flatnonzero(own >= 0)
        np.maximum.at(until, own[held], end_ns[at : at + PIECE][held])
    for thread in distinct(ranges.thread):
        own = np.flatnonzero(ranges.thread == thread)
        steps = own[outermost(ranges.start_ns[own], ranges.end_ns[own])]
        start, done = ranges.start_ns[steps], np.maximum.accumulate(until[steps])
        until[steps] = np.maximum(until[steps], _following(ranges, steps, start, done, int(done[-1])))
    return replace(ranges, end_ns=until)


def _following(ranges: StageRanges, steps: I64, start: I64, over: I64, last_ns: int) -> I64:
    """Where each step ends that is over by some time: with the next, if requests of that were in flight by then.

    They were if it decodes, and follows within the step's length, or follows one that decodes where the engine
    processes prompts too.
    """
    following = np.append(start[1:], last_ns)
    stage = ranges.stage[steps]
    in_flight = np.append(np.isin(stage[1:], _IN_FLIGHT), False)
    known = bool(np.isin(stage, _PROMPTS).any()) & np.isin(stage, _IN_FLIGHT)
    at_once = in_flight & (following > over) & (known | (following - over <= over - start))
    return int64(np.where(at_once, following, over))


def _ends(trace: Trace, ranges: StageRanges, steps: I64) -> I64:
    """Of the steps of one thread, in their order, where each ends."""
    start, end = ranges.start_ns[steps], ranges.end_ns[steps]
    calls = np.flatnonzero(trace.calls.thread == ranges.thread[steps[0]])
    calls = calls[np.argsort(trace.calls.start_ns[calls], kind="stable")]
    begun, over = trace.calls.start_ns[calls], trace.calls.end_ns[calls]
    others = np.full(len(steps), NEVER, dtype=np.int64)
    if not any(label.checks for label in ranges.labels):  # a draft model's passes may be as much as one of the target
        others = passes_behind(trace, int(ranges.thread[steps[0]]), start, end)

    def with_calls(place: int, until_ns: int) -> int:
        low, high = np.searchsorted(begun, [end[place], until_ns])
        return max(int(end[place]), min(until_ns, int(over[low:high].max(initial=end[place]))))

    called = end.copy()
    called[:-1] = [with_calls(place, until) for place, until in enumerate(np.minimum(start[1:], others[:-1]).tolist())]
    if len(steps) > 1:
        last_ns = int(start[-1] + (called - start)[:-1].max())
        called[-1] = with_calls(len(steps) - 1, min(last_ns, int(others[-1])))
    return int64(np.where(others == NEVER, _following(ranges, steps, start, called, int(called[-1])), called))

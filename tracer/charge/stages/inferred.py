"""Stages of a trace in which nothing but work was recorded: from what repeats in it.

Decode steps ask for the same kernels again and again; see `likely` for what else tells that they are steps, and for the
confidence below which nothing is claimed. Of what lies in front of them only the prompt's own pass is told; what comes
before that, as a vision tower, is nobody's.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct, outermost
from tracer.charge.launches import find_launches
from tracer.charge.stages.experts import has_experts, with_one_expert
from tracer.charge.stages.likely import ENOUGH, likely_steps
from tracer.charge.stages.ranges import StageRanges, Untold
from tracer.charge.stages.sequence import sequence_of
from tracer.charge.stages.source import StageSource
from tracer.document.names import ALL_STAGES, DECODE, PREFILL
from tracer.document.words import counted
from tracer.trace.api import begins_capture, ends_capture, launches, moves_bytes
from tracer.trace.columns import NO_CORRELATION, Want

if TYPE_CHECKING:
    from tracer.charge.stages.likely import Likely
    from tracer.charge.stages.sequence import Sequence
    from tracer.charge.stages.steps import Steps
    from tracer.trace.columns import Trace

# Above it a person is told of steps that are not claimed.
WORTH_SAYING = 0.5
_PREFILL, _DECODE = map(ALL_STAGES.index, (PREFILL, DECODE))


def stages_of_repetition(trace: Trace) -> StageRanges | None:
    """The stages that repetition tells; None where it tells none with enough confidence."""
    sequence = sequence_of(trace) if len(trace.ops) else None
    if sequence is None:
        return None
    likely = likely_steps(sequence)
    if (likely is None or likely.confidence < ENOUGH) and has_experts(sequence):
        one_expert = with_one_expert(sequence)
        steps = likely_steps(one_expert)
        if steps is not None and steps.confidence >= ENOUGH and steps.answers:
            sequence, likely = one_expert, steps
    if likely is None or likely.confidence < WORTH_SAYING:
        return None
    if likely.confidence < ENOUGH or not likely.answers:
        return replace(StageRanges.none(), untold=_unsure(likely))
    rows = [row for request, steps in enumerate(likely.answers) for row in _rows(sequence, steps, request)]
    start, end, stage, index, request = int64(rows).T
    lost = _lost_between(trace, sequence.thread, int(start.min()), int(end.max()))
    if lost:
        return replace(StageRanges.none(), untold=_not_whole(lost))
    first = np.flatnonzero(np.diff(request, prepend=-1))
    return StageRanges(
        markers="inferred",
        start_ns=start,
        end_ns=end,
        thread=np.full(len(rows), sequence.thread, dtype=np.int64),
        stage=stage,
        index=index,
        request=request,
        encoder_start_ns=int64([]),
        encoder_end_ns=int64([]),
        encoder_thread=int64([]),
        request_start_ns=start[first],
        request_end_ns=end[np.append(first[1:], len(request)) - 1],
        tokens=False,
        confidence=likely.confidence,
    )


def _unsure(likely: Likely) -> Untold:
    return Untold(
        what="whether what repeats are decode steps",
        reason=f"the same kernels ran {likely.times} times; that each is a step has a confidence of "
        f"{likely.confidence:.2f}, below {ENOUGH}",
        next_step="record with_stack=True, or mark the stages (tracer.stage; record_function and --marker)",
        needs=Want(0),
        by_names=True,
    )


def _lost_between(trace: Trace, thread: int, start_ns: int, end_ns: int) -> int:
    """How many launches of kernels and graphs by a thread in a time have no op, outside captures.

    What is not whole repeats otherwise than it ran.
    """
    calls = trace.calls
    told = {name: trace.strings[name] for name in distinct(calls.name)}
    begins, ends = ([name for name, text in told.items() if is_one(text)] for is_one in (begins_capture, ends_capture))
    asks = [name for name, text in told.items() if launches(text) and not moves_bytes(text)]
    own = np.flatnonzero((calls.thread == thread) & (calls.start_ns >= start_ns) & (calls.start_ns < end_ns))
    own = own[np.argsort(calls.start_ns[own], kind="stable")]
    captured = np.cumsum(np.isin(calls.name[own], begins).astype(np.int64) - np.isin(calls.name[own], ends)) > 0
    numbered = (calls.correlation[own] != NO_CORRELATION) & (calls.correlation[own] != 0)
    own = own[np.isin(calls.name[own], asks) & numbered & ~captured]
    has_op = np.zeros(len(calls), dtype=np.bool_)
    launch = find_launches(trace)
    has_op[launch[launch >= 0]] = True
    # A runtime's call holds a driver's: one of them has the op.
    outer = own[outermost(calls.start_ns[own], calls.end_ns[own])]
    with_op = np.append(0, np.cumsum(has_op[own]))
    low, high = (np.searchsorted(calls.start_ns[own], edge[outer]) for edge in (calls.start_ns, calls.end_ns))
    return int((with_op[np.maximum(high, low + 1)] == with_op[low]).sum())


def _not_whole(lost: int) -> Untold:
    return Untold(
        what="which of what repeats are decode steps",
        reason=f"{counted(lost, 'launch among them has', 'launches among them have')} no device op, so that steps are "
        "not whole",
        next_step="record again with a warm-up (torch.profiler.schedule(wait=1, warmup=1, active=...)), or mark the "
        "stages (tracer.stage; record_function and --marker)",
        needs=Want(0),
        by_names=True,
    )


def _rows(sequence: Sequence, steps: Steps, request: int) -> list[tuple[int, int, int, int, int]]:
    """Start, end, stage, index and request of each stage of a request; each lasts until the next begins."""
    places = [*([] if steps.prompt is None else [steps.prompt]), *steps.begins]
    times = [int(sequence.asked_ns[place]) for place in places[:-1]]
    times.append(int(sequence.until_ns[places[-1] - 1]))
    skipped = 0 if steps.prompt is not None else 1
    return [
        (start, end, _DECODE if index else _PREFILL, index or -1, request)
        for index, (start, end) in enumerate(pairwise(times), start=skipped)
    ]


SOURCE = StageSource(
    markers="inferred", rank=95, find=stages_of_repetition, needs=Want.SUMMARY, inferred=True, last_resort=True
)

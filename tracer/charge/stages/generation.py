"""Stages of a trace without markers, from the frames of transformers' `generate`.

`generate` prepares its inputs (`prepare_inputs_for_generation`) once for each forward pass: there a step ends and the
next begins; where a draft is made first (`get_candidates`), with the draft. The first pass is the prompt's; where
`_prefill` has it, all in that frame is prefill, in however many chunks. What `generate` calls within itself to draft
(another `generate`) is a part of the step. A pass
that checks a draft may yield several tokens, and nothing recorded says how many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import Nest, distinct, outermost
from tracer.charge.stages.modules import seen_by_modules
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.stages.source import StageSource
from tracer.document.names import ALL_STAGES, DECODE, PREFILL, PROJECTOR, VISION
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Spans, Trace

PASS, DRAFT = "prepare_inputs_for_generation", "get_candidates"
PROMPT, CHUNKS = "_prefill", "_prefill_chunking"
_PREFILL, _DECODE, _VISION, _PROJECTOR = map(ALL_STAGES.index, (PREFILL, DECODE, VISION, PROJECTOR))


@dataclass(frozen=True, slots=True)
class _Request:
    """One call of `generate`: where its steps begin, prefill first, and where the last ends."""

    thread: int
    begins_ns: tuple[int, ...]
    end_ns: int
    drafted: bool


def stages_of_generation(trace: Trace) -> StageRanges | None:
    """The stages that the frames tell; None where `generate` was not recorded."""
    requests = [one for thread in distinct(trace.generation.thread) for one in _requests(trace, thread)]
    if not requests:
        return None
    requests.sort(key=lambda one: one.begins_ns[0])
    rows = [step for request, one in enumerate(requests) for step in _steps(one, request)]
    for seen, code in zip(seen_by_modules(trace), (_VISION, _PROJECTOR), strict=True):
        calls = trace.modules[seen]
        bounds = zip(calls.start_ns.tolist(), calls.end_ns.tolist(), calls.thread.tolist(), strict=True)
        rows += [(*bound, code, -1, -1) for bound in bounds]
    start, end, thread, stage, index, number = int64(rows).T
    order = np.lexsort((-end, start))
    return StageRanges(
        markers="generation",
        start_ns=start[order],
        end_ns=end[order],
        thread=thread[order],
        stage=stage[order],
        index=index[order],
        request=number[order],
        encoder_start_ns=int64([]),
        encoder_end_ns=int64([]),
        encoder_thread=int64([]),
        request_start_ns=int64([one.begins_ns[0] for one in requests]),
        request_end_ns=int64([one.end_ns for one in requests]),
        tokens=not any(one.drafted for one in requests),
    )


def _steps(one: _Request, request: int) -> list[tuple[int, int, int, int, int, int]]:
    """Start, end, thread, stage, index and request of each stage of a call of `generate`."""
    ends = [*one.begins_ns[1:], one.end_ns]
    return [
        (start, end, one.thread, _DECODE if index else _PREFILL, index or -1, request)
        for index, (start, end) in enumerate(zip(one.begins_ns, ends, strict=True))
    ]


def _requests(trace: Trace, thread: int) -> list[_Request]:
    """The calls of `generate` on a thread that no other holds, and that make a pass."""
    frames = trace.generation[trace.generation.thread == thread]
    called = np.array([trace.strings[name].rpartition(": ")[2] for name in frames.name.tolist()], dtype=np.str_)
    generates = np.flatnonzero(called == "generate")
    nest = Nest.of(frames.start_ns[generates], frames.end_ns[generates])
    holder = np.append(generates, -1)[nest.innermost(frames.start_ns)]

    def starts(name: str, held_by: int) -> tuple[I64, I64]:
        own = by_name[name]
        own = own[holder[own] == held_by]
        return frames.start_ns[own], frames.end_ns[own]

    by_name = {name: _outermost(frames, called == name) for name in (PASS, DRAFT, PROMPT, CHUNKS)}
    found = []
    for row in _outermost(frames, called == "generate").tolist():
        whole_prompt, chunks = starts(PROMPT, row), starts(CHUNKS, row)
        passes, drafts = starts(PASS, row)[0], starts(DRAFT, row)[0]
        made = len(passes)
        for start_ns, end_ns in (whole_prompt, chunks):
            passes = passes[~_within(passes, start_ns, end_ns)]
        # What the prompt's own pass checks was drafted before it.
        before = int(passes[0]) if len(passes) and not len(whole_prompt[0]) else int(frames.start_ns[row])
        passes = passes if len(whole_prompt[0]) else passes[1:]
        if made:
            begins = _with_drafts(passes, drafts[drafts > before])
            first, last = int(frames.start_ns[row]), int(frames.end_ns[row])
            found.append(_Request(thread, (first, *begins), last, drafted=len(drafts) > 0))
    return found


def _outermost(frames: Spans, chosen: Bools) -> I64:
    own = np.flatnonzero(chosen)
    return own[outermost(frames.start_ns[own], frames.end_ns[own])]


def _within(times_ns: I64, start_ns: I64, end_ns: I64) -> Bools:
    held = (times_ns[:, None] >= start_ns) & (times_ns[:, None] < end_ns)
    return np.asarray(held.any(axis=1), dtype=np.bool_)


def _with_drafts(passes: I64, drafts: I64) -> list[int]:
    """Where each step begins: with the draft that is made for its pass, if one is."""
    before = np.concatenate([[np.iinfo(np.int64).min], passes[:-1]])
    place = np.searchsorted(drafts, before, side="right")
    drafted = np.append(drafts, np.iinfo(np.int64).max)[place]
    return [int(start) for start in np.minimum(passes, drafted)]


SOURCE = StageSource(
    markers="generation",
    rank=80,
    find=stages_of_generation,
    needs=Want.MODULES,
    promising=lambda trace: trace.stacks,
    inferred=True,
)

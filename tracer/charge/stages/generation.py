"""Stages of a trace without markers, from the frames of transformers' `generate`.

`generate` prepares its inputs (`prepare_inputs_for_generation`) once for each forward pass: there a step ends and the
next begins; where a draft is made first (`get_candidates`), with the draft. The first pass is the prompt's; where
`_prefill` has it, all in that frame is prefill, in however many chunks. What `generate` calls within itself to draft
(another `generate`) is a stage of its own within the step, `draft`, with as many passes as inputs were prepared in it;
what else the step asks for is the target's. A lookup in the prompt drafts without a pass. A pass that checks a draft
may yield several tokens, and no frame says how many; a contrastive search makes a pass over candidates for each token,
and one more.

A profiler that starts within `generate` dates all frames that are open at that moment alike, so that the loop over
tokens seems to begin with the call; its first recorded pass is no prompt's then, and what comes before is nobody's.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import Nest, distinct, outermost
from tracer.charge.stages.modules import seen_by_modules
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.stages.source import StageSource
from tracer.document.names import ALL_STAGES, DECODE, PREFILL, PROJECTOR, TARGET, VISION
from tracer.document.names import DRAFT as DRAFTING
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Spans, Trace

PASS, DRAFT = "prepare_inputs_for_generation", "get_candidates"
PROMPT, CHUNKS = "_prefill", "_prefill_chunking"
GENERATE, CONTRASTIVE = "generate", "contrastive_search"
# Checks, a cache and the processors of logits are made between the beginning of a call and its loop's: milliseconds.
OPEN_BEFORE_NS = 50_000
_STAGES = (PREFILL, DECODE, VISION, PROJECTOR, DRAFTING)
_PREFILL, _DECODE, _VISION, _PROJECTOR, _DRAFTING = map(ALL_STAGES.index, _STAGES)
# Start, end, thread, stage, index, request and forward passes (-1 where that is no question) of a stage.
_Row = tuple[int, int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Request:
    """One call of `generate`.

    Attributes:
        thread: that it ran on.
        begins_ns: where each of its steps begins, prefill first if that was recorded.
        end_ns: where the last ends.
        prompt: whether prefill was recorded.
        tokens: whether each step yields one token of each sequence.
        drafts: start, end and forward passes of each draft.
    """

    thread: int
    begins_ns: tuple[int, ...]
    end_ns: int
    prompt: bool
    tokens: bool
    drafts: tuple[tuple[int, int, int], ...]


def stages_of_generation(trace: Trace) -> StageRanges | None:
    """The stages that the frames tell; None where `generate` was not recorded."""
    requests = [one for thread in distinct(trace.generation.thread) for one in _requests(trace, thread)]
    if not requests:
        return None
    requests.sort(key=lambda one: one.begins_ns[0])
    rows = [step for request, one in enumerate(requests) for step in _steps(one, request)]
    beside: list[_Row] = []
    for seen, code in zip(seen_by_modules(trace), (_VISION, _PROJECTOR), strict=True):
        calls = trace.modules[seen]
        bounds = zip(calls.start_ns.tolist(), calls.end_ns.tolist(), calls.thread.tolist(), strict=True)
        beside += [(*bound, code, -1, -1, -1) for bound in bounds]
    rows += beside
    start, end, thread, stage, index, number, passes = int64(rows).T
    order = np.lexsort((-end, start))
    drafted = bool((stage == _DRAFTING).any())
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
        request_start_ns=int64(_begun(requests, beside)),
        request_end_ns=int64([one.end_ns for one in requests]),
        tokens=all(one.tokens for one in requests),
        roles=tuple(DRAFTING if code == _DRAFTING else TARGET for code in stage[order].tolist()) if drafted else (),
        passes=tuple(passes[order].tolist()) if drafted else (),
    )


def _begun(requests: list[_Request], beside: list[_Row]) -> list[int]:
    """When each request began: with its call, or with what was seen for it before, since the last on its thread ended.

    Models of several parts see first, and then call `generate` of their language model.
    """
    seen = sorted((row[2], row[0]) for row in beside)
    over: dict[int, int] = {}
    found = []
    for one in requests:
        begun = one.begins_ns[0]
        place = bisect_left(seen, (one.thread, over.get(one.thread, np.iinfo(np.int64).min)))
        if one.prompt and place < len(seen) and seen[place][0] == one.thread:
            begun = min(begun, seen[place][1])
        over[one.thread] = one.end_ns
        found.append(begun)
    return found


def _steps(one: _Request, request: int) -> list[_Row]:
    """The stages of a call of `generate`."""
    ends = [*one.begins_ns[1:], one.end_ns]
    steps = [
        (start, end, one.thread, _DECODE if index else _PREFILL, index or -1, request, 1)
        for index, (start, end) in enumerate(zip(one.begins_ns, ends, strict=True), start=0 if one.prompt else 1)
    ]
    return [*steps, *((start, end, one.thread, _DRAFTING, -1, request, made) for start, end, made in one.drafts)]


def _requests(trace: Trace, thread: int) -> list[_Request]:
    """The calls of `generate` on a thread that make passes themselves, but for those within others and for drafts.

    Where the loop is somebody's own (`custom_generate`), `generate` calls itself with it, and makes no pass.
    """
    frames = trace.generation[trace.generation.thread == thread]
    called = np.array([_called(trace.strings[name]) for name in frames.name.tolist()], np.str_)
    generates = np.flatnonzero(called == GENERATE)
    nest = Nest.of(frames.start_ns[generates], frames.end_ns[generates])
    holder = np.append(generates, -1)[nest.innermost(frames.start_ns)]
    names = (PASS, DRAFT, PROMPT, CHUNKS)
    rows = {name: _outermost(frames, called == name.lstrip("_")) for name in names}
    loops = np.flatnonzero(~np.isin(called, [GENERATE, *(name.lstrip("_") for name in names)]))
    prepared, drafts = frames[rows[PASS]].start_ns, frames[rows[DRAFT]]
    drafting = Nest.of(drafts.start_ns, drafts.end_ns).innermost(frames.start_ns) >= 0
    makes = np.isin(np.arange(len(frames)), holder[rows[PASS]])
    found = []
    for row in _outermost(frames, (called == GENERATE) & makes & ~drafting).tolist():
        own = {name: frames[of_name[holder[of_name] == row]] for name, of_name in rows.items()}
        loop = loops[holder[loops] == row]
        contrastive = CONTRASTIVE in called[loop].tolist()
        one = _request(frames[int64([row])], own, frames[loop], np.sort(prepared), contrastive=contrastive)
        if one is not None:
            found.append(one)
    return found


def _called(frame: str) -> str:
    """The function of a frame; libraries that patch models prepare inputs under a name of their own."""
    name = frame.rpartition(": ")[2].lstrip("_")
    return PASS if name.endswith(PASS) else name


def _request(
    call: Spans, own: dict[str, Spans], loop: Spans, prepared_ns: I64, *, contrastive: bool
) -> _Request | None:
    """What one call of `generate` was, by the frames of each name that it holds; None without a pass.

    Args:
        call: itself.
        own: frames by name.
        loop: the other frames of `generate` in it.
        prepared_ns: when any pass of the thread was prepared, rising.
        contrastive: whether it is a contrastive search.
    """
    passes, drafts, prompt = own[PASS].start_ns, own[DRAFT].start_ns, own[PROMPT]
    if not len(passes):
        return None
    begun = int(call.start_ns[0])
    for part in (prompt, own[CHUNKS]):
        passes = passes[~_within(passes, part.start_ns, part.end_ns)]
    late = not len(prompt) and bool((loop.start_ns < begun + OPEN_BEFORE_NS).any())
    if not late:
        # What the prompt's own pass checks was drafted before it.
        before = int(passes[0]) if len(passes) and not len(prompt) else begun
        drafts = drafts[drafts > before]
        passes = passes if len(prompt) else passes[1:]
    begins = (*(() if late else (begun,)), *_with_drafts(passes, drafts))
    tokens = not len(drafts) and not contrastive
    made = _drafts(own[DRAFT], prepared_ns, begins[0]) if begins else ()
    return _Request(int(call.thread[0]), begins, int(call.end_ns[0]), prompt=not late, tokens=tokens, drafts=made)


def _drafts(frames: Spans, prepared_ns: I64, begun_ns: int) -> tuple[tuple[int, int, int], ...]:
    """Start, end and forward passes of the drafts that were made after a time."""
    frames = frames[frames.start_ns >= begun_ns]
    passes = np.searchsorted(prepared_ns, frames.end_ns) - np.searchsorted(prepared_ns, frames.start_ns)
    return tuple(zip(frames.start_ns.tolist(), frames.end_ns.tolist(), passes.tolist(), strict=True))


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

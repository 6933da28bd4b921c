"""Stages of a trace without markers, from the forward calls of its modules: vision tower, projector, prefill, decode.

A language model's call is the outermost module that holds decoder layers. The calls of one request follow one another:
prefill, then decode steps. Prefill is the call that a vision tower precedes or is part of, and without vision one that
takes half as much again as the median call (on the device where there is one). All of this is inferred from names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct, outermost
from tracer.charge.launches import find_launches
from tracer.charge.stages.ranges import StageRanges
from tracer.charge.stages.source import StageSource
from tracer.document.names import ALL_STAGES, DECODE, PREFILL, PROJECTOR, VISION
from tracer.statistics.robust import median
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.trace.columns import Trace

_DECODER = re.compile(r"(?:Decoder(?:Layer|Block)|(?:GPT\w*|Bloom|Mpt|Falcon\w*)Block)_\d+$")
_VISION = re.compile(r"(?:Vision|Visual|CLIP|Siglip|SigLIP|ViT|EVA|Dino|ImageEncoder)(?!\w*Projector)\w*_\d+$")
_PROJECTOR = re.compile(r"(?:Projector|Connector|Resampler|PatchMerger|Adaptor)\w*_\d+$", re.IGNORECASE)
PREFILL_LONGER = 1.5


def seen_by_modules(trace: Trace) -> tuple[I64, I64]:
    """The outermost calls of vision towers, and of what projects their features; a tower holds no decoder layer."""
    modules = trace.modules
    found: list[tuple[I64, I64]] = []
    for thread in distinct(modules.thread):
        own = np.flatnonzero(modules.thread == thread)
        towers = _matching(trace, own, _VISION)
        vision = _outermost(trace, towers[~_holding(trace, towers, _matching(trace, own, _DECODER))])
        found.append((vision, _outermost(trace, _matching(trace, own, _PROJECTOR))))
    if not found:
        return int64([]), int64([])
    return int64(np.concatenate([one for one, _ in found])), int64(np.concatenate([one for _, one in found]))


def stages_of_modules(trace: Trace) -> StageRanges | None:
    """The stages that the modules' calls tell; None without a language model among them."""
    modules = trace.modules
    for thread in distinct(modules.thread):
        own = np.flatnonzero(modules.thread == thread)
        decoders = _matching(trace, own, _DECODER)
        towers = _matching(trace, own, _VISION)
        vision = _outermost(trace, towers[~_holding(trace, towers, decoders)])
        calls = _outermost(trace, own)
        calls = calls[_holding(trace, calls, decoders)]
        if not len(calls):
            continue
        projectors = _outermost(trace, _matching(trace, own, _PROJECTOR))
        return _ranges(trace, calls, vision, projectors)
    return None


def _matching(trace: Trace, rows: I64, pattern: re.Pattern[str]) -> I64:
    fits = {name for name in distinct(trace.modules.name[rows]) if pattern.search(trace.strings[name])}
    return int64(rows[np.isin(trace.modules.name[rows], list(fits))])


def _outermost(trace: Trace, rows: I64) -> I64:
    return rows[outermost(trace.modules.start_ns[rows], trace.modules.end_ns[rows])]


def _holding(trace: Trace, rows: I64, inner: I64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """In which of these calls one of `inner` starts."""
    starts = np.sort(trace.modules.start_ns[inner])
    low = np.searchsorted(starts, trace.modules.start_ns[rows], side="left")
    high = np.searchsorted(starts, trace.modules.end_ns[rows], side="left")
    return np.asarray(high > low, dtype=np.bool_)


def _ranges(trace: Trace, calls: I64, vision: I64, projectors: I64) -> StageRanges:
    modules = trace.modules
    first = _is_prefill(trace, calls, vision)
    request = np.cumsum(first) - 1
    # Steps are counted from the prompt's call, or from 1 where that was not recorded.
    index = np.arange(len(calls)) - np.maximum.accumulate(np.where(first, np.arange(len(calls)), -1))
    # A step is not over when the forward call is: choosing the token and preparing the next input belong to it.
    end = modules.end_ns[calls].copy()
    follows = np.flatnonzero(request[1:] == request[:-1])
    end[follows] = modules.start_ns[calls[follows + 1]]
    beside = np.concatenate([vision, projectors])
    request_start, request_end = _requests(request, modules.start_ns[calls], end, modules.start_ns[beside])
    start = np.concatenate([modules.start_ns[calls], modules.start_ns[beside]])
    codes = [ALL_STAGES.index(stage) for stage in (PREFILL, DECODE, VISION, PROJECTOR)]
    stage = np.concatenate(
        [np.where(first, codes[0], codes[1]), np.full(len(vision), codes[2]), np.full(len(projectors), codes[3])]
    )
    nothing = np.full(len(beside), -1)
    ends = np.concatenate([end, modules.end_ns[beside]])
    order = np.lexsort((-ends, start))
    return StageRanges(
        markers="modules",
        start_ns=start[order],
        end_ns=ends[order],
        thread=np.full(len(order), modules.thread[calls[0]], dtype=np.int64),
        stage=int64(stage[order]),
        index=int64(np.concatenate([np.where(first, -1, index), nothing])[order]),
        request=int64(np.concatenate([request, nothing])[order]),
        encoder_start_ns=int64([]),
        encoder_end_ns=int64([]),
        encoder_thread=int64([]),
        request_start_ns=request_start,
        request_end_ns=request_end,
        tokens=False,
    )


def _requests(request: I64, start_ns: I64, end_ns: I64, beside_ns: I64) -> tuple[I64, I64]:
    """Start and end of each request: from its first call, or what was seen before it, to the end of its last call.

    Args:
        request: of each call of the language model, in their order.
        start_ns, end_ns: of the calls.
        beside_ns: starts of what the vision tower and the projector did.
    """
    first = np.flatnonzero(np.diff(request, prepend=request[0] - 1))
    ends = end_ns[np.append(first[1:], len(request)) - 1]
    beside_ns = np.sort(beside_ns)
    begun = np.searchsorted(beside_ns, np.concatenate([[np.iinfo(np.int64).min], ends[:-1]]))
    seen = np.append(beside_ns, np.iinfo(np.int64).max)[begun]
    return np.minimum(start_ns[first], seen), ends


def _is_prefill(trace: Trace, calls: I64, vision: I64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which calls process a prompt. The first is taken for one only if something says so."""
    start, end = trace.modules.start_ns[calls], trace.modules.end_ns[calls]
    if len(vision):
        seen = np.searchsorted(np.sort(trace.modules.start_ns[vision]), end, side="left")
        return np.diff(seen, prepend=0) > 0
    taken = _device_time(trace, start, end, int(trace.modules.thread[calls[0]])) if len(trace.ops) else end - start
    return taken > PREFILL_LONGER * median(taken) if len(calls) > 1 else np.ones(1, dtype=np.bool_)


def _device_time(trace: Trace, start_ns: I64, end_ns: I64, thread: int) -> I64:
    """Device time of what the thread launched in each of these disjoint intervals."""
    call = find_launches(trace)
    launched = np.flatnonzero(call >= 0)
    launched = launched[trace.calls.thread[call[launched]] == thread]
    times = trace.calls.start_ns[call[launched]]
    order = np.argsort(times, kind="stable")
    launched, times = launched[order], times[order]
    total = np.append(0, np.cumsum(trace.ops.end_ns[launched] - trace.ops.start_ns[launched]))
    return int64(total[np.searchsorted(times, end_ns)] - total[np.searchsorted(times, start_ns)])


SOURCE = StageSource(
    markers="modules",
    rank=90,
    find=stages_of_modules,
    needs=Want.MODULES,
    promising=lambda trace: trace.stacks,
    inferred=True,
)

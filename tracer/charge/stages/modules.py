"""Stages of a trace without markers, from the forward calls of its modules: vision tower, projector, prefill, decode.

A language model's call is the outermost module that holds decoder layers. The calls of one request follow one another:
prefill, then decode steps; `prompts` tells them apart, or says that nothing does. All of this is inferred from names.
How many tokens a pass yielded is not. Where no call goes on from another or sees a picture, they may be anything's: a
classifier's, an embedding model's, an evaluation's. Those of a training are of no request.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import Nest, distinct, outermost
from tracer.charge.stages.module_passes import passes_of
from tracer.charge.stages.prompts import are_prompts
from tracer.charge.stages.queries import has_shapes
from tracer.charge.stages.ranges import StageRanges, Untold
from tracer.charge.stages.source import StageSource
from tracer.charge.stages.training import trains
from tracer.document.names import ALL_STAGES, DECODE, PREFILL, PROJECTOR, VISION
from tracer.trace.columns import Want

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.stages.queries import Told
    from tracer.trace.columns import Trace

# A word that something must follow is looked for from the end of the name: all that follows an earlier one follows the
# last too, and looking from each of them takes time with the square of a name's length.
_DECODER = re.compile(
    r"(?:Decoder(?:Layer|Block)|(?:Bloom|Mpt|MPT|Mamba2?|Rwkv|CodeGen|GLM|QWen)Block|GPTNeoXLayer)_\d+$"
    r"|\A(?>(?s:.*)(?:GPT|Falcon))\w*Block_\d+$",
)
# Decoders of objects and masks, which have layers of that name too.
_DETECTOR = re.compile(r"Detr|DINO|Dino|Deformable|Mask2?Former|OneFormer|Detect|Segment|Owl|Sam[A-Z2]|Sam_")
_CONVOLUTION = re.compile(r"Conv[23]d_\d+$")
_VISION = re.compile(
    r"\A(?>(?s:.*)(?:Vision|Visual|CLIP|Siglip|SigLIP|ViT|EVA|Dino|ImageEncoder|Swin|Beit|DeiT|ConvNe[Xx]t|Timm|"
    r"A[Ii][Mm]v2|VQVAE))(?!\w*Text)\w*_\d+$"
)
_WHOLE = re.compile(r"\A(?>(?s:.*)(?:Model|Tower|Encoder|Transformer|Backbone))\w*_\d+$")
_PROJECTOR = re.compile(
    r"\A(?>(?s:.*)(?:Projector|Connector|Resampler|PatchMerger|Adaptor|Aligner|QFormer|MultiModalEmbedder|"
    r"(?:Vision|Visual|Image|ToText|Git)Projection))\w*_\d+$",
    re.IGNORECASE,
)
_WHOSE = Untold(
    what="which passes of the model are prefill and which are decode steps",
    reason="several language models take turns, as in speculative decoding, and no frame says which of them drafts",
    next_step="record with_stack=True around all of generate, or mark the stages",
    needs=Want(0),
)
_PROMPT_OR_STEP = Untold(
    what="which passes of the model are prefill and which are decode steps",
    reason="all ask for the same work, none takes much longer, and no shapes or frames of generate were recorded",
    next_step="record shapes too (record_shapes=True), or mark the stages (tracer.stage; record_function and --marker)",
    needs=Want.CPU_OPS | Want.DETAILS,
)
_OF_A_DRAFT = Untold(
    what="which passes of the model are prefill and which are decode steps",
    reason="some are given several positions behind those in the cache: they check a draft, or are a prompt's rest or "
    "the next turn of a conversation, and no frames of generate were recorded",
    next_step="record with_stack=True around generate itself, or mark the stages (tracer.stage; record_function and "
    "--marker)",
    needs=Want(0),
)
_ALONE = Untold(
    what="whether the passes of the model are prefill",
    reason="none goes on from another, as a decode step does: those of a classifier, an embedding model, a ranking or "
    "an evaluation look like this too",
    next_step="record an answer of several tokens, or mark the stages (tracer.stage; record_function and --marker)",
    needs=Want.CPU_OPS | Want.DETAILS,
)
_TRAINED = Untold(
    what="which passes of the model are prefill and which are decode steps",
    reason="a backward pass or an optimizer's step was recorded: the passes are a training's, which has neither",
    next_step="mark the stages if there are any (tracer.stage; record_function and --marker)",
    needs=Want(0),
)


def seen_by_modules(trace: Trace) -> tuple[I64, I64]:
    """The outermost calls of vision towers, and of what projects their features; a tower holds no decoder layer."""
    modules = trace.modules
    found: list[tuple[I64, I64]] = []
    for thread in distinct(modules.thread):
        own = np.flatnonzero(modules.thread == thread)
        found.append(_seen(trace, own, _matching(trace, own, _DECODER)))
    if not found:
        return int64([]), int64([])
    return int64(np.concatenate([one for one, _ in found])), int64(np.concatenate([one for _, one in found]))


def model_calls(trace: Trace) -> I64:
    """The outermost calls that hold decoder layers: forward passes of language models, with all that is in them."""
    modules = trace.modules
    found = [int64([])]
    for thread in distinct(modules.thread):
        own = np.flatnonzero(modules.thread == thread)
        found.append(passes_of(trace.modules, own, _matching(trace, own, _DECODER)))
    return int64(np.concatenate(found))


def decoder_layers(trace: Trace, thread: int) -> I64:
    """The calls of decoder layers on a thread."""
    return _matching(trace, int64(np.flatnonzero(trace.modules.thread == thread)), _DECODER)


def stages_of_modules(trace: Trace) -> StageRanges | None:
    """The stages that the modules' calls tell; None without a language model among them."""
    modules = trace.modules
    for thread in distinct(modules.thread):
        own = np.flatnonzero(modules.thread == thread)
        decoders = _matching(trace, own, _DECODER)
        decoders = np.setdiff1d(decoders, _matching(trace, decoders, _DETECTOR))
        vision, projectors = _seen(trace, own, decoders)
        calls = passes_of(trace.modules, own, decoders)
        if not len(calls) or _sees_by_itself(trace, calls, vision):
            continue
        if len(_models(trace, calls, decoders)) > 1:
            return replace(StageRanges.none(), untold=_WHOSE)
        if trains(trace):
            return replace(StageRanges.none(), untold=_TRAINED)
        told = are_prompts(trace, calls, vision, decoders)
        if told is None:
            return replace(StageRanges.none(), untold=_OF_A_DRAFT if has_shapes(trace) else _PROMPT_OR_STEP)
        if told.prompts.all() and not told.sure and not len(vision):
            return replace(StageRanges.none(), untold=_ALONE)
        return _ranges(trace, calls, told, vision, projectors)
    return None


def _seen(trace: Trace, own: I64, decoders: I64) -> tuple[I64, I64]:
    """The same of one thread. What a projector does is its own, whatever that is called, unless it is a whole tower."""
    towers, projectors = (_matching(trace, own, pattern) for pattern in (_VISION, _PROJECTOR))
    towers = np.setdiff1d(towers, projectors)
    vision = _outermost(trace, towers[~_holding(trace, towers, decoders)])
    projectors = _outermost(trace, projectors)
    start, end = trace.modules.start_ns, trace.modules.end_ns
    outside = Nest.of(start[projectors], end[projectors]).innermost(start[vision]) < 0
    return vision[outside | np.isin(vision, _matching(trace, vision, _WHOLE))], projectors


def _models(trace: Trace, calls: I64, decoders: I64) -> list[int]:
    """The decoder layers that are the first in some call: those of one model always are the same."""
    order = np.argsort(trace.modules.start_ns[decoders], kind="stable")
    starts = trace.modules.start_ns[decoders][order]
    first = np.searchsorted(starts, trace.modules.start_ns[calls])
    return distinct(trace.modules.name[decoders[order[first]]])


def _matching(trace: Trace, rows: I64, pattern: re.Pattern[str]) -> I64:
    fits = {name for name in distinct(trace.modules.name[rows]) if pattern.search(trace.strings[name])}
    return int64(rows[np.isin(trace.modules.name[rows], list(fits))])


def _outermost(trace: Trace, rows: I64) -> I64:
    return rows[outermost(trace.modules.start_ns[rows], trace.modules.end_ns[rows])]


def _holding(trace: Trace, rows: I64, inner: I64) -> Bools:
    """In which of these calls one of `inner` starts."""
    starts = np.sort(trace.modules.start_ns[inner])
    low = np.searchsorted(starts, trace.modules.start_ns[rows], side="left")
    high = np.searchsorted(starts, trace.modules.end_ns[rows], side="left")
    return np.asarray(high > low, dtype=np.bool_)


def _ranges(trace: Trace, calls: I64, told: Told, vision: I64, projectors: I64) -> StageRanges:
    modules, first = trace.modules, told.prompts
    request = np.cumsum(told.begins) - 1
    # Steps are counted from the prompt's last call, or from 1 where that was not recorded.
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


def _sees_by_itself(trace: Trace, calls: I64, vision: I64) -> bool:
    """Whether each of several calls runs convolutions over pictures outside any vision tower: a detector's backbone."""
    own = np.flatnonzero(trace.modules.thread == trace.modules.thread[calls[0]])
    convolutions = _matching(trace, own, _CONVOLUTION)
    tower = Nest.of(trace.modules.start_ns[vision], trace.modules.end_ns[vision])
    outside = convolutions[tower.innermost(trace.modules.start_ns[convolutions]) < 0]
    return len(calls) > 1 and bool(_holding(trace, calls, outside).all())


SOURCE = StageSource(
    markers="modules",
    rank=90,
    find=stages_of_modules,
    needs=Want.MODULES,
    promising=lambda trace: trace.stacks,
    inferred=True,
)

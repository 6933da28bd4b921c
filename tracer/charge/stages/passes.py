"""The pass over a prompt in front of decode steps: as many layers as a step has, which do other work than a step's.

What tells it differs with what was recorded: kernels of matrix products that a single position takes and many don't;
other kernels of attention where keys and values are kept; or that many tokens are looked up in front of it and few in
front of each step. A pass over a draft looks like one over a short prompt, and so do steps of another length: what
multiplies as the step in front of it does, or repeats, is told as neither.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded
from tracer.charge.stages.repetition import distances, runs
from tracer.charge.stages.sequence import (
    ALIKE,
    ATTENTION,
    JOINS,
    OTHERWISE,
    PRODUCT,
    SAME,
    TOKEN,
    alike,
    beside_caches,
    shared,
)

if TYPE_CHECKING:
    from tracer.charge.stages.repetition import Run
    from tracer.charge.stages.sequence import Sequence
    from tracer.charge.stages.steps import Step

_VECTOR = re.compile(r"gemv|split_?kv|dot_kernel", re.IGNORECASE)
_WRITES = re.compile(r"index_(?:copy|put)|scatter|cache|(?<!q)kv|copy_[kv]\b|DtoD|Device -> Device", re.IGNORECASE)
_TURNS = re.compile(r"neg_|_neg(?![a-z])|\bneg\b")
# torch looks up 16 tokens at most, and more, by kernels of their own.
_FEW, _MANY = (
    re.compile(r"indexSelectSmall"),
    re.compile(r"indexSelectLarge|vectorized_gather|embedding", re.IGNORECASE),
)
# What joins parts that are contiguous: a cache and a single position, but not several positions of many heads.
_EXTENDS = re.compile(r"CatArrayBatchedCopy_")
_SIZES = re.compile(r"<.*|\d+")
# A prompt's layers take this much longer than a step's, or share less than `ALIKE` with them.
LONGER = 1.5
# Where the first step begins is known but for one part in so many.
ABOUT = 16
# A prompt attends at most so many times as often as a step.
MORE_OFTEN = 2


def prompt_in_front(sequence: Sequence, step: Step, low: int, high: int) -> int | None:
    """Where the pass over the prompt begins that ends where the first step does; None where there is none."""
    part = sequence.in_order[low:high]
    size = step.run.distance
    outside = size if step.layers is None else size - (step.layers.end - step.layers.start)
    found = [run for apart in distances(part) for run in runs(part, apart) if 2 * apart <= len(part)]
    found = [
        run
        for run in found
        if _as_many_layers(sequence, low, run, step) and high - low - run.end <= outside + run.distance
    ]
    found = [run for run in found if _may_be_layers(sequence, step, low + run.start, low + run.end)]
    if not found:
        return None
    layers = max(found, key=lambda run: (run.end - run.start, -run.distance))
    one = slice(step.cut, step.cut + size)
    # What is behind the last layer, as the head, may be much like the beginning of one.
    whole = slice(low + layers.start, low + layers.start + layers.times * layers.distance)
    # What a step does in front of its layers, a prompt does too.
    before = _in_front(sequence, step, whole)
    begins = max(low, whole.start - before)
    beside = slice(high, min(high + size, len(sequence)))
    # Experts look up too, and layers may.
    ahead = slice(max(low, begins - size // ABOUT), max(begins, whole.start))
    if looks_up(sequence, ahead) != "many" and _may_be_a_step(sequence, slice(begins, high), beside):
        return None
    otherwise = bool(step.attentions) and all(_otherwise(sequence, whole, part, layers.times) for part in (one, beside))
    if not otherwise and not _of_more_tokens(sequence, ahead, slice(begins, high), whole, beside, layers.times):
        return None
    spans = ((begins, high + size // ABOUT), (one.start, one.stop))
    chosen, usual = (int(sequence.matching(*span, TOKEN.search).sum()) for span in spans)
    # It chooses its own token, where steps are seen to choose theirs: a tower has none, and a step between one more.
    return sequence.call_from(begins) if not usual or 0 < chosen <= usual else None


def _in_front(sequence: Sequence, step: Step, whole: slice) -> int:
    """How much a step does from where it looks its tokens up to where a prompt's layers begin in it."""
    size = step.run.distance
    attends, sought = (
        np.flatnonzero(sequence.matching(step.cut, step.cut + size, told.search)).tolist() for told in (ATTENTION, _FEW)
    )
    if step.layers is not None:
        place = behind = (step.run.start + step.layers.start - step.cut) % size
    else:
        behind = attends[0]
        place = behind - int(sequence.matching(whole.start, whole.stop, ATTENTION.search).argmax())
    # What it did before that, as ordering the caches of a search, no prompt does.
    return place - max((one for one in sought if one <= behind), default=0)


def _as_many_layers(sequence: Sequence, low: int, run: Run, step: Step) -> bool:
    if run.times < 2:
        return False
    if step.layers is not None:
        # What repeats without attention in it, as the experts of one layer, are no layers.
        attend = not step.attentions or sum(step.attentions) >= step.layers.times - 1 > 0
        if attend and abs(run.times - step.layers.times) <= (1 if run.times > 4 else 0):
            return True
        # Layers may differ by turns for many positions alone, as where some attend to a window.
        attends = int(sequence.matching(low + run.start, low + run.end, ATTENTION.search).sum())
        return step.layers.times % run.times == 0 and attends == sum(step.attentions)
    return run.times in step.attentions


def _may_be_layers(sequence: Sequence, step: Step, low: int, high: int) -> bool:
    """Whether what repeats in a part attends, where steps do, and is no step itself.

    Steps of an answer before may be as many as layers: each chooses a token, and attends in all layers.
    """
    attends = int(sequence.matching(low, high, ATTENTION.search).sum())
    most = sum(step.attentions)
    return min(most, 1) <= attends <= MORE_OFTEN * most and not sequence.matching(low, high, TOKEN.search).any()


def looks_up(sequence: Sequence, part: slice) -> str:
    """Whether a part first looks up "few" tokens at once, as a step does, or "many"; "" where it is not known."""
    few, many = (np.flatnonzero(sequence.matching(part.start, part.stop, told.search)) for told in (_FEW, _MANY))
    if not len(few):
        return "many" if len(many) else ""
    return "many" if len(many) and many[0] < few[0] else "few"


def _may_be_a_step(sequence: Sequence, prompt: slice, step: slice) -> bool:
    """Whether a pass may check a draft, or be a step of another length: it multiplies as a step does, or repeats."""
    ahead = slice(max(0, prompt.start - (step.stop - step.start)), prompt.start)
    if alike(sequence, prompt, step, PRODUCT) >= ALIKE and shared(sequence.own[step], sequence.own[ahead]) > OTHERWISE:
        return True
    ahead = slice(max(0, 2 * prompt.start - prompt.stop), prompt.start)
    return shared(sequence.own[prompt], sequence.own[ahead]) >= SAME


def _of_more_tokens(sequence: Sequence, ahead: slice, prompt: slice, whole: slice, step: slice, layers: int) -> bool:
    """Whether a pass does other work than a step that looks up few tokens and keeps keys and values, or a state.

    It looks up many. Or it multiplies more often in each layer, as for keys and values of what an encoder saw, or does
    otherwise what has nothing to do with a cache: one that grows brings other kernels of attention, of its products and
    of what joins it.
    """
    if looks_up(sequence, step) != "few" or not _keeps(sequence, step, layers, _EXTENDS):
        return False
    if looks_up(sequence, ahead) == "many":
        return True
    if not sequence.whole:
        return False
    products = [int(sequence.matching(part.start, part.stop, PRODUCT.search).sum()) for part in (prompt, step)]
    rest = [beside_caches(sequence, part) for part in (whole, step)]
    return products[0] - products[1] >= layers or int((~np.isin(rest[0], rest[1])).sum()) >= layers


def _otherwise(sequence: Sequence, prompt: slice, step: slice, layers: int) -> bool:
    """Whether a prompt's layers ask for other work than a step's, as many positions do than a single one.

    A first pass may have other kernels because a library tried some out, or because it is longer; a first batch of a
    classifier even attends by another one if its texts are. So a step is told by what a single position has in each
    layer: it is multiplied as a vector; or it attends by another kernel, and what was attended to before is kept.
    """
    vectors = int(sequence.matching(step.start, step.stop, _VECTOR.search).sum())
    # Where attention is made of products, a longer cache may make vectors of them, or none.
    few = alike(sequence, prompt, step, PRODUCT) <= OTHERWISE
    if vectors >= layers and few and not _families(sequence, prompt, _VECTOR):
        return True
    longer = sequence.time_ns[prompt].sum() >= LONGER * sequence.time_ns[step].sum()
    if not longer and shared(sequence.codes[prompt], sequence.codes[step]) >= ALIKE:
        return False
    attend = [_attends(sequence, part) for part in (prompt, step)]
    return all(attend) and not attend[0] & attend[1] and _keeps(sequence, step, layers)


def _keeps(sequence: Sequence, step: slice, layers: int, joining: re.Pattern[str] = JOINS) -> bool:
    """Whether each layer of a step writes keys and values beside those of the positions before it.

    A cache that grows is made by concatenation; so are halves of a rotated position, each with a negation.
    """
    writes, joins, turns = (
        sequence.matching(step.start, step.stop, pattern.search) for pattern in (_WRITES, joining, _TURNS)
    )
    if joining is _EXTENDS:
        return int((writes | joins).sum()) >= layers
    return int(writes.sum()) + max(0, int((joins & ~writes).sum()) - int((turns & ~writes).sum())) >= layers


def _attends(sequence: Sequence, part: slice) -> set[str]:
    """The kernels of attention in a part; a softmax beside others chooses experts or tokens."""
    found = _families(sequence, part, ATTENTION)
    return {name for name in found if "softmax" not in name.lower()} or found


def _families(sequence: Sequence, part: slice, pattern: re.Pattern[str]) -> set[str]:
    """The kernels of such names in a part, without what a size makes of a name."""
    told = sequence.matching(part.start, part.stop, pattern.search)
    return {_SIZES.sub("", sequence.names[code]) for code in coded(sequence.own[part][told])[0].tolist()}

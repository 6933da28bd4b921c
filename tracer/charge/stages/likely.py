"""Whether what repeats in a trace without markers are decode steps, and what in front of them is the prompt's pass.

Layers repeat, batches of a classifier do, and so do the steps of a diffusion model or of a training. Decode steps
differ from all of these: each chooses a token, attention takes longer from step to step, and a prompt was processed in
front of them by as many layers with other kernels. The confidence is

    share of names that repeat exactly x (1 - product of (1 - weight) over what was seen)

with the weights below. One of them never suffices for `ENOUGH`, and whatever names a backward pass has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.stages.repetition import Run, distances, grams, longest, runs
from tracer.statistics.robust import median, theil_sen

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.charge.stages.sequence import Sequence

ENOUGH = 0.75
CHOOSES, GROWS, PROMPTED, READ_BACK = 0.6, 0.55, 0.55, 0.2
FEWEST_STEPS = 3
_CHOICE = re.compile(r"arg_?max|multinomial|top_?[kp](?![a-z]*gat)", re.IGNORECASE)
_ATTENTION = re.compile(r"attention|attn|flash|fmha|sdpa|mha_|softmax", re.IGNORECASE)
_TRAINING = re.compile(r"backward|_bwd|dgrad|wgrad|multi_tensor|adam|sgd|dropout", re.IGNORECASE)
_READ = re.compile(r"DtoH|Device-to-Host", re.IGNORECASE)
# A prompt's layers share less than this with a step's, or take this much longer.
ALIKE, LONGER = 0.8, 1.5
ATTENDS_LONGER = 1.3
# So many steps at least show a growth, and so much of it.
FEWEST_TO_GROW, LEAST_GROWTH = 8, 0.01
# So much of a step must be there for the first and the last to be one.
MOST_OF_A_STEP = 0.75


@dataclass(frozen=True, slots=True)
class Steps:
    """Decode steps that follow one another.

    Attributes:
        begins: where each begins, and where the last ends, in places of the sequence.
        prompt: where the prompt's pass in front of them begins; None where none was seen.
    """

    begins: tuple[int, ...]
    prompt: int | None


@dataclass(frozen=True, slots=True)
class _Step:
    """What all steps have in common.

    Attributes:
        run: the longest part in which they repeat.
        cut: the first place of the run at which one ends and the next begins.
        layers: where layers repeat within the part of two steps that begins at the run's start; None where none do.
        attentions: how often each kernel of attention occurs in a step.
    """

    run: Run
    cut: int
    layers: Run | None
    attentions: tuple[int, ...]


def likely_steps(sequence: Sequence) -> tuple[list[Steps], float]:
    """All decode steps, and how sure it is that they are some: 0 where nothing repeats as they would."""
    run = longest(sequence.codes)
    if run is None or run.times < FEWEST_STEPS or sequence.matching(run.start, run.end, _TRAINING.search).any():
        return [], 0.0
    step = _step(sequence, run)
    found = _all_steps(sequence, step)
    weights = [
        (CHOOSES, _in_each(sequence, step, _CHOICE)),
        (GROWS, _grows(sequence, step)),
        (PROMPTED, found[0].prompt is not None if found else False),
        (READ_BACK, _in_each(sequence, step, _READ)),
    ]
    doubt = float(np.prod([1 - weight for weight, seen in weights if seen]))
    part = sequence.codes[run.start : run.end]
    exact = float((part[: -run.distance] == part[run.distance :]).mean())
    return sorted(found, key=lambda steps: steps.begins), exact * (1 - doubt)


def _step(sequence: Sequence, run: Run) -> _Step:
    two = sequence.in_order[run.start : run.start + 2 * run.distance]
    inner = [found for apart in distances(two) if 2 * apart <= run.distance for found in runs(two, apart)]
    inner = [found for found in inner if found.end - found.start <= run.distance and found.times > 1]
    layers = max(inner, key=lambda found: (found.end - found.start, -found.distance), default=None)
    if layers is not None and 2 * (layers.end - layers.start) < run.distance:
        layers = None
    one = sequence.codes[run.start : run.start + run.distance]
    attends = sequence.matching(run.start, run.start + run.distance, _ATTENTION.search)
    counts = np.bincount(coded(one[attends])[1]).tolist()
    return _Step(run, _cut(sequence, run, layers), layers, tuple(counts))


def _cut(sequence: Sequence, run: Run, layers: Run | None) -> int:
    """Where a step ends: behind what it chooses and reads back, outside its layers; else at the longest pause."""
    size = run.distance
    place = run.start + (layers.end % size if layers is not None else 0)
    outside = size if layers is None else size - (layers.end - layers.start)
    choices = np.flatnonzero(sequence.matching(place, place + outside, _CHOICE.search))
    reads = np.flatnonzero(sequence.matching(place, place + outside, _READ.search))
    if len(choices):
        reads = reads[reads > choices[-1]]
    if layers is None and len(choices):
        reads = reads[reads < choices[-1] + max(16, size // 8)]
    if len(reads) or len(choices):
        last = int(reads[-1]) if len(reads) else int(choices[-1])
        return run.start + (place + last + 1 - run.start) % size
    span = slice(run.start, run.start + run.times * size)
    pauses = (sequence.asked_ns[span] - np.roll(sequence.until_ns[span], 1)).reshape(run.times, size)
    return run.start + int(median(pauses[1:]).argmax())


def _all_steps(sequence: Sequence, step: _Step) -> list[Steps]:
    """Of each part in which steps repeat, the longest first."""
    size = step.run.distance
    known = grams(sequence.codes)
    template = known[step.cut : step.cut + size]
    _, code = coded(template)
    alone = np.flatnonzero(np.bincount(code)[code] == 1)
    found: list[Steps] = []
    behind = 0
    for run in runs(sequence.codes, size):
        cut = step.cut if run == step.run else None
        if cut is None and len(alone):
            seen = np.flatnonzero(known[run.start : run.end - size] == template[alone[0]])
            cut = run.start + int(seen[0]) - int(alone[0]) if len(seen) else None
        if cut is None:
            continue
        first = cut - size if run.start <= cut - MOST_OF_A_STEP * size else cut
        while first < run.start - (1 - MOST_OF_A_STEP) * size:
            first += size
        begins = list(range(first, run.end - int(MOST_OF_A_STEP * size) + 1, size))
        if len(begins) < 2 or begins[0] < behind:
            continue
        places = [sequence.call_from(place) for place in [*begins, min(begins[-1] + size, len(sequence))]]
        found.append(Steps(tuple(places), _prompt(sequence, step, behind, places[0])))
        behind = places[-1]
    return sorted(found, key=lambda one: -len(one.begins))


def _prompt(sequence: Sequence, step: _Step, low: int, high: int) -> int | None:
    """Where the pass over the prompt begins that ends where the first step does; None where there is none."""
    part = sequence.in_order[low:high]
    size = step.run.distance
    outside = size if step.layers is None else size - (step.layers.end - step.layers.start)
    found = [run for apart in distances(part) for run in runs(part, apart) if 2 * apart <= len(part)]
    found = [run for run in found if _as_many_layers(run, step) and high - low - run.end <= outside + run.distance]
    if not found:
        return None
    layers = max(found, key=lambda run: (run.end - run.start, -run.distance))
    if not _otherwise(sequence, slice(low + layers.start, low + layers.end), slice(step.cut, step.cut + size)):
        return None
    # What a step does in front of its layers, a prompt does too.
    before = outside if step.layers is None else (step.run.start + step.layers.start - step.cut) % size
    return sequence.call_from(max(low, low + layers.start - before))


def _as_many_layers(run: Run, step: _Step) -> bool:
    if run.times < 2:
        return False
    if step.layers is not None:
        return abs(run.times - step.layers.times) <= (1 if run.times > 4 else 0)
    return run.times in step.attentions


def _otherwise(sequence: Sequence, prompt: slice, step: slice) -> bool:
    """Whether a prompt's layers ask for other work than a step, and attend otherwise.

    A first pass may have other kernels because a library tried some out; attention does not change by that. Many
    positions attend by another kernel than a single one, or for longer.
    """
    longer = sequence.time_ns[prompt].sum() >= LONGER * sequence.time_ns[step].sum()
    if not longer and _shared(sequence.codes[prompt], sequence.codes[step]) >= ALIKE:
        return False
    attend = [sequence.matching(part.start, part.stop, _ATTENTION.search) for part in (prompt, step)]
    if not all(told.any() for told in attend):
        return bool(longer)
    kernels = [set(sequence.codes[part][told].tolist()) for part, told in zip((prompt, step), attend, strict=True)]
    usual = [float(sequence.time_ns[part][told].mean()) for part, told in zip((prompt, step), attend, strict=True)]
    return kernels[0] != kernels[1] or usual[0] >= ATTENDS_LONGER * usual[1]


def _shared(own: I64, other: I64) -> float:
    """Which share of the names of `own` occur in `other` too, each as often as it does there."""
    _, code = coded(np.concatenate([own, other]))
    mine, theirs = np.bincount(code[: len(own)]), np.bincount(code[len(own) :])
    both = min(len(mine), len(theirs))
    return float(np.minimum(mine[:both], theirs[:both]).sum() / max(1, len(own)))


def _in_each(sequence: Sequence, step: _Step, pattern: re.Pattern[str]) -> bool:
    """Whether each step has an op of such a name, outside its layers."""
    size, run = step.run.distance, step.run
    told = sequence.matching(run.start, run.start + run.times * size, pattern.search).reshape(run.times, size)
    if step.layers is not None:
        inside = np.arange(step.layers.start, step.layers.end) % size
        told = np.delete(told, inside, axis=1)
    elif step.attentions and int(told[0].sum()) % max(step.attentions) == 0:
        return False
    return bool(told.any(axis=1).all())


def _grows(sequence: Sequence, step: _Step) -> bool:
    """Whether attention takes a growing share of the steps' time."""
    size, run = step.run.distance, step.run
    span = slice(run.start, run.start + run.times * size)
    told = sequence.matching(span.start, span.stop, _ATTENTION.search).reshape(run.times, size)
    if run.times < FEWEST_TO_GROW or not told.any():
        return False
    times = sequence.time_ns[span].reshape(run.times, size)
    attention, rest = (times * told).sum(axis=1), (times * ~told).sum(axis=1)
    share = int64(1_000_000 * attention // np.maximum(1, rest))
    slope = theil_sen([(int64(np.arange(run.times)), share)])
    return slope is not None and slope.low * (run.times - 1) > LEAST_GROWTH * median(share)

"""Whether what repeats in a trace without markers are decode steps, and what in front of them is the prompt's pass.

Layers repeat, batches of a classifier do, and so do the steps of a diffusion model or of a training. Decode steps
differ from all of these: each chooses a token, attention takes longer from step to step, and a prompt was processed in
front of them by as many layers with other kernels. The confidence is

    share of names that repeat exactly x (1 - product of (1 - weight) over what was seen)

with the weights below. One of them never suffices for `ENOUGH`, and whatever names a backward pass has none. How the
prompt's pass is told is in `passes`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.charge.stages.passes import looks_up, prompt_in_front
from tracer.charge.stages.repetition import Run, distances, grams, longest, runs
from tracer.charge.stages.sequence import (
    ALIKE,
    ATTENTION,
    OTHERWISE,
    PRODUCT,
    TOKEN,
    alike,
    same_beside_caches,
    shared,
)
from tracer.charge.stages.steps import Step, Steps, joined, with_last
from tracer.charge.stages.training import TRAINING
from tracer.statistics.robust import median, theil_sen
from tracer.trace.api import copies_to_host

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.charge.stages.sequence import Sequence

ENOUGH = 0.75
# So that any two of the first three suffice where nearly all names repeat, and reading back adds to them alone:
# batches of a classifier are read back too. They were held against recordings of either kind (`benchmarks/results`).
CHOOSES, GROWS, PROMPTED, READ_BACK = 0.6, 0.55, 0.55, 0.2
# Of what repeats at so many distances the longest are looked at: a request, a step, a layer, and parts of these.
FEWEST_STEPS, MOST_TRIED = 3, 6
_CHOICE = re.compile(r"arg_?max|multinomial|top_?[kp](?![a-z]*gat)", re.IGNORECASE)
_EMBEDS = re.compile(r"embedding|index_?select|vectorized_gather", re.IGNORECASE)
STANDS_OUT = 2
# So many steps at least show a growth, and so much of it.
FEWEST_TO_GROW, LEAST_GROWTH = 8, 0.01
# So much of a step must be there for the first and the last to be one.
MOST_OF_A_STEP = 0.75
# Layers may choose too, as among experts; a step does so this often at most.
MOST_CHOICES = 2
# More tokens than this are chosen in a step by its layers only.
MOST_DRAFTED = 16


@dataclass(frozen=True, slots=True)
class Likely:
    """What repeats.

    Attributes:
        answers: the steps of each request, if they may be decode steps.
        confidence: that they are.
        times: how often it repeats at a stretch.
    """

    answers: list[Steps]
    confidence: float
    times: int


def likely_steps(sequence: Sequence) -> Likely | None:
    """The likeliest decode steps, or what repeats and is most like them; None where nothing repeats often enough.

    Requests that are alike repeat, their steps do, and the layers of these: the likeliest of them are the steps. Steps
    of another length, as a longer cache may bring, go on with an answer or are of other requests.
    """
    found = [_steps_of(sequence, run) for run in longest(sequence.codes, FEWEST_STEPS, MOST_TRIED)]
    if not found:
        return None
    found.sort(key=lambda likely: -likely.confidence)
    sure: list[Steps] = []
    others: list[Steps] = []
    for likely in found:
        for answer in likely.answers:
            if not any(answer.meets(other) for other in (*sure, *others)):
                (sure if likely.confidence >= ENOUGH else others).append(answer)
    if not sure:
        return found[0]
    return replace(found[0], answers=with_last(sequence, joined(sequence, sure, others), TOKEN.search))


def _steps_of(sequence: Sequence, run: Run) -> Likely:
    """How likely it is that what repeats in this run are decode steps, and where they are if it may be."""
    if sequence.matching(run.start, run.end, TRAINING.search).any():
        return Likely([], 0.0, run.times)
    size = run.distance
    # A prompt of much the same kernels repeats well enough for a run, and is no step.
    while run.times > FEWEST_STEPS and not _alike(sequence, run.start, size):
        run = replace(run, start=run.start + size)
    # Nor is one of as many kernels, which multiplies or attends by others.
    if run.times > FEWEST_STEPS and _first_alone(sequence, run.start, size):
        run = replace(run, start=run.start + size)
    step = _step(sequence, run)
    if step is None:
        return Likely([], 0.0, run.times)
    part = sequence.codes[run.start : run.end]
    exact = float((part[:-size] == part[size:]).mean())
    doubt = 1.0
    for weight, seen in (
        (CHOOSES, _chooses(sequence, step)),
        (GROWS, _grows(sequence, step)),
        (READ_BACK, _in_each(sequence, step, copies_to_host)),
    ):
        doubt *= 1 - weight if seen else 1
    if exact * (1 - doubt * (1 - PROMPTED)) < ENOUGH:
        return Likely([], exact * (1 - doubt), run.times)
    found = _all_steps(sequence, step)
    prompted = 2 * sum(steps.prompt is not None for steps in found)
    # Few steps behind a prompt and as few elsewhere may be the drafts of a small model.
    longest_answer = max((len(steps.begins) - 1 for steps in found), default=0)
    if prompted > len(found) or (prompted == len(found) and longest_answer > 2 * FEWEST_STEPS):
        doubt *= 1 - PROMPTED
    return Likely(found, exact * (1 - doubt), run.times)


def _step(sequence: Sequence, run: Run) -> Step | None:
    """What repeats in a run; None where nothing tells where one ends and the next begins."""
    two = sequence.in_order[run.start : run.start + 2 * run.distance]
    inner = [found for apart in distances(two) if 2 * apart <= run.distance for found in runs(two, apart)]
    inner = [found for found in inner if found.end - found.start <= run.distance and found.times > 1]
    layers = max(inner, key=lambda found: (found.end - found.start, -found.distance), default=None)
    layers = None if layers is None else _without_choice(sequence, run, layers)
    if layers is not None and 2 * (layers.end - layers.start) < run.distance:
        layers = None
    one = sequence.own[run.start : run.start + run.distance]
    attends = sequence.matching(run.start, run.start + run.distance, ATTENTION.search)
    counts = np.bincount(coded(one[attends])[1]).tolist()
    named = [sequence.names[code] for code in coded(one[attends])[0].tolist()]
    apart = [count for count, name in zip(counts, named, strict=True) if "softmax" not in name.lower()] or counts
    if (layers is None and max(counts, default=0) < 2) or sum(apart) == 1:
        return None  # it may be a layer itself, which among experts chooses too
    cut = _cut(sequence, run, layers)
    if cut is None or _of_several_models(sequence, slice(run.start, run.start + run.distance)):
        return None
    return Step(run, cut, layers, tuple(counts))


def _of_several_models(sequence: Sequence, step: slice) -> bool:
    """Whether more than one token is chosen in a step and it attends behind each: drafts are made and checked in it."""
    chosen, attends = (
        np.flatnonzero(sequence.matching(step.start, step.stop, told.search)) for told in (TOKEN, ATTENTION)
    )
    if not 1 < len(chosen) <= MOST_DRAFTED:
        return False
    # Behind the last choice come those in front of the first.
    return len(set((np.searchsorted(chosen, attends) % len(chosen)).tolist())) > 1


def _without_choice(sequence: Sequence, run: Run, layers: Run) -> Run:
    """The layers up to where a token is chosen, or from there on: what is behind the last may be much like one."""
    told = sequence.matching(run.start, run.start + 2 * run.distance, TOKEN.search)
    if int(told[: run.distance].sum()) > MOST_CHOICES:
        return layers
    for place in np.flatnonzero(told).tolist():
        if layers.start <= place < layers.end:
            ahead = 2 * place >= layers.start + layers.end
            layers = replace(layers, end=place) if ahead else replace(layers, start=place + 1)
    return layers


def _cut(sequence: Sequence, run: Run, layers: Run | None) -> int | None:
    """Where a step ends: behind what it chooses and reads back, outside its layers; else at a pause that stands out."""
    size = run.distance
    place = run.start + (layers.end % size if layers is not None else 0)
    outside = size if layers is None else size - (layers.end - layers.start)
    choices = np.flatnonzero(sequence.matching(place, place + outside, _CHOICE.search))
    reads = np.flatnonzero(sequence.matching(place, place + outside, copies_to_host))
    if len(choices):
        reads = reads[reads > choices[-1]]
        # The next step may read something back too, as whether a mask hides anything.
        embeds = np.flatnonzero(sequence.matching(place, place + outside, _EMBEDS.search))
        reads = reads[reads < max(embeds[embeds > choices[-1]], default=size)]
    if layers is None and len(choices):
        reads = reads[reads < choices[-1] + max(16, size // 8)]
    if len(reads) or len(choices):
        last = int(reads[-1]) if len(reads) else int(choices[-1])
        return run.start + (place + last + 1 - run.start) % size
    span = slice(run.start, run.start + run.times * size)
    pauses = (sequence.asked_ns[span] - np.roll(sequence.until_ns[span], 1)).reshape(run.times, size)
    between = (place - run.start + np.arange(outside)) % size
    usual = median(pauses[1:])[between]
    if len(usual) < 2 or usual.max() < STANDS_OUT * np.sort(usual)[-2]:
        return None
    return run.start + int(between[usual.argmax()])


def _all_steps(sequence: Sequence, step: Step) -> list[Steps]:
    """Of each answer, in their order."""
    size = step.run.distance
    known = grams(sequence.codes)
    template = known[step.cut : step.cut + size]
    _, code = coded(template)
    alone = np.flatnonzero(np.bincount(code)[code] == 1)
    found: list[Steps] = []
    behind = 0
    for run in runs(sequence.codes, size):
        cut = step.cut if run.start <= step.cut < run.end else None
        if cut is None and len(alone):
            seen = np.flatnonzero(known[run.start : run.end - size] == template[alone[0]])
            cut = run.start + int(seen[0]) - int(alone[0]) if len(seen) else None
        if cut is None:
            continue
        for begins in _unbroken(sequence, _begins(run, cut), step):
            if len(begins) < 2 or begins[0] < behind:
                continue
            first = len(begins) > 2 and _first_alone(sequence, begins[0], size)
            ends = [*begins[first:], min(begins[-1] + size, len(sequence))]
            places = [sequence.call_from(place) for place in ends]
            prompt = prompt_in_front(sequence, step, behind, places[0])
            if prompt is None and (one_more := _one_before(sequence, step, behind, places[0])) is not None:
                places, prompt = [one_more[1], *places], one_more[0]
            gap, one = slice(behind, places[0]), slice(step.cut, step.cut + size)
            if prompt is None and found and gap.stop - gap.start <= size and _works_as(sequence, gap, one):
                # The same answer, of which a step or two asked for something else.
                before = found.pop()
                part = gap.stop - gap.start > (1 - MOST_OF_A_STEP) * size
                places, prompt = [*before.begins[: None if part else -1], *places], before.prompt
            found.append(Steps(tuple(places), prompt))
            behind = places[-1]
    return found


def _one_before(sequence: Sequence, step: Step, low: int, high: int) -> tuple[int, int] | None:
    """Where a prompt begins, and a step behind it: attention over few positions may take kernels of its own."""
    size = step.run.distance
    place = sequence.call_from(high - size) if high - size >= low else high
    if place >= high or shared(sequence.own[place:high], sequence.own[step.cut : step.cut + size]) < ALIKE:
        return None
    prompt = prompt_in_front(sequence, step, low, place)
    return None if prompt is None else (prompt, place)


def _works_as(sequence: Sequence, part: slice, other: slice) -> bool:
    """Whether a part multiplies and attends by the kernels by which another does, and asks for what else that does."""
    return same_beside_caches(sequence, part, other) and _multiplies_as(sequence, part, other)


def _multiplies_as(sequence: Sequence, part: slice, other: slice) -> bool:
    """Whether a part multiplies and attends by the kernels by which another does, whatever else is done in it."""
    return all(alike(sequence, part, other, pattern) > OTHERWISE for pattern in (PRODUCT, ATTENTION))


def _unbroken(sequence: Sequence, begins: list[int], step: Step) -> list[list[int]]:
    """The rows of steps that ask for much the same as the others: what does not may be the next answer's prompt.

    That may ask for much the same too, but multiplies or attends by other kernels than the steps beside it.
    """
    size = step.run.distance
    one = slice(step.cut, step.cut + size)
    usual = sequence.own[one]
    parts = [slice(max(place, 0), place + size) for place in begins]
    sought = [looks_up(sequence, part) for part in parts]
    follows = [_multiplies_as(sequence, one, other) for one, other in pairwise(parts)]
    found: list[list[int]] = [[]]
    for at, (place, part) in enumerate(zip(begins, parts, strict=True)):
        own = sequence.own[part]
        there = usual[size - len(own) :] if place < 0 else usual[: len(own)]
        beside = follows[max(at - 1, 0) : at + 1]
        asks = (own == there).mean() >= ALIKE or shared(own, usual) >= ALIKE
        asks = asks and same_beside_caches(sequence, part, one)
        # As many tokens as a prompt has are none of a step; what a longer cache looks up, the next one does too.
        asks = asks and sought[at : at + 2] != ["many", "few"]
        if asks and (any(beside) or not beside):
            found[-1].append(place)
        elif found[-1]:
            found.append([])
    return found


def _begins(run: Run, cut: int) -> list[int]:
    """Where each repetition of a run begins, given one such place; most of the first and of the last must be there."""
    size = run.distance
    earliest = run.start - int((1 - MOST_OF_A_STEP) * size)
    first = cut - (cut - earliest) // size * size
    return list(range(first, run.end - int(MOST_OF_A_STEP * size) + 1, size))


def _alike(sequence: Sequence, place: int, size: int) -> bool:
    """Whether what begins at a place asks for much the same as what follows it."""
    first, second = max(place, 0), place + size
    return shared(sequence.own[first:second], sequence.own[second : second + size]) >= ALIKE


def _first_alone(sequence: Sequence, place: int, size: int) -> bool:
    """Whether what begins at a place multiplies, or attends, by other kernels than the two behind it, which agree."""
    first, second, third = (slice(max(at, 0), at + size) for at in (place, place + size, place + 2 * size))
    return any(
        alike(sequence, first, second, pattern) <= OTHERWISE and alike(sequence, second, third, pattern) >= ALIKE
        for pattern in (PRODUCT, ATTENTION)
    )


def _in_each(sequence: Sequence, step: Step, told: Callable[[str], object]) -> bool:
    """Whether each step has an op of such a name, outside its layers."""
    size, run = step.run.distance, step.run
    found = sequence.matching(run.start, run.start + run.times * size, told).reshape(run.times, size)
    if step.layers is not None:
        inside = np.arange(step.layers.start, step.layers.end) % size
        found = np.delete(found, inside, axis=1)
    elif max(step.attentions, default=1) > 1 and int(found[0].sum()) % max(step.attentions) == 0:
        return False
    return bool(found.any(axis=1).all())


def _chooses(sequence: Sequence, step: Step) -> bool:
    """Whether each step chooses a token; of the largest of some, as experts are too, only where it looks one up."""
    if _in_each(sequence, step, TOKEN.search):
        return True
    return _in_each(sequence, step, _CHOICE.search) and _in_each(sequence, step, _EMBEDS.search)


def _grows(sequence: Sequence, step: Step) -> bool:
    """Whether attention takes a growing share of the steps' time."""
    size, run = step.run.distance, step.run
    span = slice(run.start, run.start + run.times * size)
    told = sequence.matching(span.start, span.stop, ATTENTION.search).reshape(run.times, size)
    if run.times < FEWEST_TO_GROW or not told.any():
        return False
    times = sequence.time_ns[span].reshape(run.times, size)
    attention, rest = (times * told).sum(axis=1), (times * ~told).sum(axis=1)
    share = int64(1_000_000 * attention // np.maximum(1, rest))
    slope = theil_sen([(int64(np.arange(run.times)), share)])
    return slope is not None and slope.low * (run.times - 1) > LEAST_GROWTH * median(share)

"""Decode steps that follow one another, and how those of one answer are joined that do not ask for quite the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.stages.sequence import ALIKE, ATTENTION, OTHERWISE, PRODUCT, alike, same_beside_caches, shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.charge.stages.repetition import Run
    from tracer.charge.stages.sequence import Sequence


@dataclass(frozen=True, slots=True)
class Step:
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


@dataclass(frozen=True, slots=True)
class Steps:
    """Decode steps that follow one another.

    Attributes:
        begins: where each begins, and where the last ends, in places of the sequence.
        prompt: where the prompt's pass in front of them begins; None where none was seen.
    """

    begins: tuple[int, ...]
    prompt: int | None

    @property
    def start(self) -> int:
        """Where the first of it begins."""
        return self.begins[0] if self.prompt is None else self.prompt

    def meets(self, other: Steps) -> bool:
        """Whether both have a part in common."""
        return self.start < other.begins[-1] and other.start < self.begins[-1]


def joined(sequence: Sequence, sure: list[Steps], others: list[Steps]) -> list[Steps]:
    """The answers, in their order: those that are sure, and what goes on with them or comes right before them.

    A cache that grows makes attention take another kernel, or one kernel more, from some step on.

    Args:
        sequence: in which they were found.
        sure, others: steps that are sure to be some, and such as are not by themselves; none meets another.
    """
    found: list[Steps] = []
    told: list[bool] = []
    for steps in sorted([*sure, *others], key=lambda one: one.begins):
        known = any(steps is one for one in sure)
        if found and (known or told[-1]) and _goes_on(sequence, found[-1], steps):
            before = found[-1]
            gap = before.begins[-1] != steps.begins[0]
            found[-1] = Steps((*before.begins[: None if gap else -1], *steps.begins), before.prompt)
            told[-1] = True
        else:
            found.append(steps)
            told.append(known)
    return [steps for steps, known in zip(found, told, strict=True) if known]


def with_last(sequence: Sequence, answers: list[Steps], chooses: Callable[[str], object]) -> list[Steps]:
    """The same answers, each with a last step that asks for a little less than the others, or a little else.

    Behind the last token nothing is prepared any more. Such a step is not repeated, so that it is found by what it
    chooses: as far behind its beginning as the others do, but for some kernels.

    Args:
        sequence: in which they were found.
        answers: in their order.
        chooses: whether a kernel of this name chooses a token.
    """
    found = []
    for place, steps in enumerate(answers):
        following = answers[place + 1] if place + 1 < len(answers) else None
        until = len(sequence) if following is None else following.start
        # What another answer without a prompt comes behind may be its prompt.
        sure = following is None or following.prompt is not None
        end = _end_of_last(sequence, steps, until, chooses) if sure else None
        found.append(steps if end is None else Steps((*steps.begins, end), steps.prompt))
    return found


def _end_of_last(sequence: Sequence, steps: Steps, until: int, chooses: Callable[[str], object]) -> int | None:
    """Where one more step ends behind these; None where what follows is none."""
    step, start = slice(*steps.begins[-2:]), steps.begins[-1]
    size = step.stop - step.start
    usual = np.flatnonzero(sequence.matching(step.start, step.stop, chooses))
    last = np.flatnonzero(sequence.matching(start, min(until, start + int(size / ALIKE)), chooses))
    if not len(usual) or len(last) < len(usual):
        return None
    end = min(until, start + int(last[len(usual) - 1]) + size - int(usual[-1]))
    part = slice(start, end)
    if not ALIKE * size <= end - start <= size / ALIKE:
        return None
    same = min(shared(sequence.own[a], sequence.own[b]) for a, b in ((part, step), (step, part)))
    return end if same >= ALIKE and _works_alike(sequence, part, step) else None


def _goes_on(sequence: Sequence, before: Steps, steps: Steps) -> bool:
    """Whether steps follow others at once, or after one that is unlike both, and ask for much the same."""
    if steps.prompt is not None:
        return False
    last, first = slice(*before.begins[-2:]), slice(*steps.begins[:2])
    between = slice(before.begins[-1], steps.begins[0])
    size, gap = last.stop - last.start, between.stop - between.start
    if gap and not (ALIKE * size <= gap <= size / ALIKE and _works_alike(sequence, between, last)):
        return False
    # A pass over a prompt, or over a draft, may multiply as a step does: it attends as neither beside it, or does
    # otherwise what has nothing to do with a cache.
    if gap and not (
        max(alike(sequence, between, part, ATTENTION) for part in (last, first)) > OTHERWISE
        and same_beside_caches(sequence, between, last)
    ):
        return False
    return min(
        shared(sequence.own[a], sequence.own[b]) for a, b in ((first, last), (last, first))
    ) >= ALIKE and _works_alike(sequence, first, last)


def _works_alike(sequence: Sequence, part: slice, step: slice) -> bool:
    """Whether a part multiplies by the kernels by which a step does; attention takes others as the cache grows."""
    return alike(sequence, part, step, PRODUCT) > OTHERWISE

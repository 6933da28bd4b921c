"""transformers' own generation, cut where its decode steps begin."""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transformers import PreTrainedModel


@contextmanager
def step_boundaries(network: PreTrainedModel, next_step: Callable[[], None]) -> Iterator[None]:
    """While open, have `network.generate` call `next_step` at the beginning of each decode step.

    Every release of transformers calls `prepare_inputs_for_generation` once before each forward pass, first for
    prefill, and after all that belongs to the step before: its sampling and its stopping test. Nothing is changed.
    """
    prepare = network.prepare_inputs_for_generation
    prefilled = False

    @wraps(prepare)
    def prepare_and_tell(*args: Any, **kwargs: Any) -> Any:
        nonlocal prefilled
        if prefilled:
            next_step()
        prefilled = True
        return prepare(*args, **kwargs)

    network.prepare_inputs_for_generation = prepare_and_tell
    try:
        yield
    finally:
        del network.prepare_inputs_for_generation

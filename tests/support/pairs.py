"""Two models of the tiny size, built once for all tests of a process: one drafts for the other."""

from __future__ import annotations

from functools import cache
from typing import Any

from model.registry import ModelOptions, find
from model.speculative.pair import Speculating, SpeculativePair

NAMES = ("eventgpt", "llava15", "video_llava")
# Fewer pictures than the published models have; llava15 takes one.
FRAMES = {"eventgpt": 1, "llava15": 1, "video_llava": 1}


@cache
def built(name: str, batch_size: int = 1) -> Any:
    """A model, on the CPU."""
    options = ModelOptions(
        size="tiny", device="cpu", dtype="float32", frames=FRAMES[name], batch_size=batch_size, prompt_tokens=12
    )
    return find(name).build(options)


def pair(target: str, draft: str, how: Speculating, *, batch_size: int = 1, **more: Any) -> SpeculativePair:
    """They work together."""
    return SpeculativePair(built(target, batch_size), built(draft, batch_size), how, **more)


@cache
def stock(name: str, tokens: int, batch_size: int = 1) -> list[list[int]]:
    """The model's own greedy answer, by transformers' `generate`."""
    model = built(name, batch_size)
    inputs = model.prepare(model.load())
    answer: list[list[int]] = model.generate(inputs, model.encode_vision(inputs), max_new_tokens=tokens).tolist()
    return answer

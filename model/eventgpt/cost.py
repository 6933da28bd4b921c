"""Analytic work of EventGPT, stage by stage; what counts is said in `model.costs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.costs import decoder_cost, tower_flops, tower_parameters
from model.staged import RequestCost, RequestShape, StageCost

if TYPE_CHECKING:
    from model.sizes import VLMSize


def request_cost(
    size: VLMSize, shape: RequestShape, *, new_tokens: int, itemsize_bytes: int, batch_frames: bool
) -> RequestCost:
    """Return the work of a request of `shape` that yields `new_tokens` tokens."""
    prompt = shape.visual_tokens + shape.prompt_tokens
    steps = range(1, new_tokens)
    return RequestCost(
        vision=_vision(size, shape, itemsize_bytes, batch_frames=batch_frames),
        prefill=decoder_cost(size.text, shape.batch_size, prompt, 0, itemsize_bytes),
        decode=tuple(decoder_cost(size.text, shape.batch_size, 1, prompt + step - 1, itemsize_bytes) for step in steps),
    )


def _vision(size: VLMSize, shape: RequestShape, itemsize_bytes: int, *, batch_frames: bool) -> StageCost:
    pictures = shape.batch_size * shape.frames
    passes = shape.batch_size * (1 if batch_frames else shape.frames)
    vision, hidden = size.vision, size.text.hidden
    projector = vision.hidden * hidden + 2 * hidden * hidden  # two projector layers and the adaptor
    return StageCost(
        flops=pictures * (tower_flops(vision) + 2 * vision.tokens * projector),
        weight_bytes=passes * itemsize_bytes * (tower_parameters(vision) + projector + 3 * hidden),
        kv_bytes=0,
    )

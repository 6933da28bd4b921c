"""EventGPT: event-camera frames -> CLIP ViT-L/14-336 -> projector -> LLaMA-7B.

Written fresh on transformers' parts after the published model (arXiv:2412.00832), with the parameter
names of its checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.eventgpt.adapter import StagedEventGPT
    from model.registry import ModelOptions


def build(options: ModelOptions) -> StagedEventGPT:
    """Build the staged model that `options` describe.

    Raises:
        ModelError: the options, the checkpoint or the events cannot be right.
    """
    from model.eventgpt.builder import build_staged

    return build_staged(options)

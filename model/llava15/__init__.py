"""LLaVA-1.5: CLIP ViT-L/14-336 -> 2-layer projector -> Vicuna-7B (arXiv:2310.03744), on transformers' own network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.registry import ModelOptions
    from model.vlm.adapter import StagedVLM


def build(options: ModelOptions) -> StagedVLM:
    """Build the staged model that `options` describe.

    Raises:
        ModelError: the options, the checkpoint or the input cannot be right.
    """
    from model.llava15.adapter import FAMILY
    from model.vlm.builder import build_staged

    return build_staged(FAMILY, options)

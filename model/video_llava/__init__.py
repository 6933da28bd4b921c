"""Video-LLaVA: LanguageBind ViT-L/14 over 8 frames -> projector -> Vicuna-7B (arXiv:2311.10122), on transformers."""

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
    from model.video_llava.adapter import FAMILY
    from model.vlm.builder import build_staged

    return build_staged(FAMILY, options)

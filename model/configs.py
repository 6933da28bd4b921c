"""transformers' configurations of the parts, from their sizes, and sizes from configurations."""

from __future__ import annotations

from typing import Any

from transformers import CLIPVisionConfig, LlamaConfig

from model.sizes import TextSize, VisionSize


def text_config(size: TextSize, **special_tokens: int | None) -> LlamaConfig:
    """Return transformers' configuration of a LLaMA decoder."""
    return LlamaConfig(
        hidden_size=size.hidden,
        intermediate_size=size.mlp,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        vocab_size=size.vocabulary,
        max_position_embeddings=size.positions,
        head_dim=size.head_dim,
        tie_word_embeddings=False,
        **special_tokens,
    )


def vision_config(size: VisionSize) -> CLIPVisionConfig:
    """Return transformers' configuration of a CLIP tower."""
    return CLIPVisionConfig(
        hidden_size=size.hidden,
        intermediate_size=size.mlp,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        image_size=size.image,
        patch_size=size.patch,
        projection_dim=size.hidden,
    )


def text_size(config: Any) -> TextSize:
    """The size of a LLaMA decoder, from its configuration."""
    return TextSize(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        mlp=config.intermediate_size,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        vocabulary=config.vocab_size,
        positions=config.max_position_embeddings,
        head_dim=getattr(config, "head_dim", None) or 0,
    )


def vision_size(config: Any) -> VisionSize:
    """The size of a CLIP tower, from its configuration."""
    return VisionSize(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        mlp=config.intermediate_size,
        heads=config.num_attention_heads,
        image=config.image_size,
        patch=config.patch_size,
    )

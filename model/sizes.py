"""Sizes of the two halves of a vision-language model, and the parts that several published ones share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionSize:
    """A CLIP vision tower.

    Attributes:
        layers: transformer blocks.
        hidden: width.
        mlp: width of the blocks' inner layer.
        heads: attention heads.
        image: side of the square input, pixels.
        patch: side of a patch, pixels.
    """

    layers: int
    hidden: int
    mlp: int
    heads: int
    image: int
    patch: int

    @property
    def tokens(self) -> int:
        """Tokens per frame: the patches and the class token."""
        return (self.image // self.patch) ** 2 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSize:
    """A LLaMA decoder.

    Attributes:
        layers: transformer blocks.
        hidden: width.
        mlp: width of the gated MLP.
        heads: query heads.
        kv_heads: key/value heads.
        vocabulary: rows of the embedding.
        positions: longest sequence.
        head_dim: width of one head; 0 takes hidden / heads, which some decoders (Mistral-Nemo, Gemma) do not have.
    """

    layers: int
    hidden: int
    mlp: int
    heads: int
    kv_heads: int
    vocabulary: int
    positions: int
    head_dim: int = 0

    def __post_init__(self) -> None:
        if not self.head_dim:
            object.__setattr__(self, "head_dim", self.hidden // self.heads)


@dataclass(frozen=True, slots=True, kw_only=True)
class VLMSize:
    """Both halves, and the number of pictures that a sequence is given."""

    name: str
    vision: VisionSize
    text: TextSize
    frames: int


CLIP_VIT_L_14_336 = VisionSize(layers=24, hidden=1024, mlp=4096, heads=16, image=336, patch=14)
# LanguageBind's video tower as transformers has it: frame by frame, 224 pixels.
LANGUAGEBIND_VIT_L_14 = VisionSize(layers=24, hidden=1024, mlp=4096, heads=16, image=224, patch=14)
# 32,000 tokens of LLaMA, the placeholders of pictures, and padding up to a multiple of 64.
VICUNA_7B = TextSize(layers=32, hidden=4096, mlp=11008, heads=32, kv_heads=32, vocabulary=32064, positions=4096)
TINY_TEXT = TextSize(layers=2, hidden=128, mlp=344, heads=4, kv_heads=4, vocabulary=1000, positions=4096)

"""The sizes EventGPT comes in: the published one, and one that runs anywhere in seconds."""

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
    """

    layers: int
    hidden: int
    mlp: int
    heads: int
    kv_heads: int
    vocabulary: int
    positions: int

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.hidden // self.heads


@dataclass(frozen=True, slots=True, kw_only=True)
class EventGPTSize:
    """Both halves, and the number of frames an event stream is cut into."""

    name: str
    vision: VisionSize
    text: TextSize
    frames: int = 5


CLIP_VIT_L_14_336 = VisionSize(layers=24, hidden=1024, mlp=4096, heads=16, image=336, patch=14)

SIZES = {
    size.name: size
    for size in (
        EventGPTSize(
            name="7b",
            vision=CLIP_VIT_L_14_336,
            text=TextSize(layers=32, hidden=4096, mlp=11008, heads=32, kv_heads=32, vocabulary=32000, positions=2048),
        ),
        # The same pictures, patches and visual tokens (577 a frame, 582 in all), a narrow network.
        EventGPTSize(
            name="tiny",
            vision=VisionSize(layers=2, hidden=64, mlp=256, heads=4, image=336, patch=14),
            text=TextSize(layers=2, hidden=128, mlp=344, heads=4, kv_heads=4, vocabulary=1000, positions=2048),
        ),
    )
}

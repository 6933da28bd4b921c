"""What tells one such model from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from model.sizes import VLMSize


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What tells one such model from another.

    Attributes:
        name: in our registry.
        sizes: those it comes in.
        network: transformers' class.
        config: makes its configuration of a size.
        feature_call: the model's own method that encodes pictures.
        pictures_name: the argument of that method and of `generate`, which has the pictures.
        frame_axis: whether pictures are given as [B, F, 3, side, side] instead of [B * F, 3, side, side].
        placeholder: what stands in a prompt's text for the pictures; one for each of them, or one in all with
            `frame_axis`.
        placeholder_key: the entry of the configuration which has its token id.
        class_token: whether each picture's class token is among its features.
        tower: the attribute that is the vision encoder.
    """

    name: str
    sizes: Mapping[str, VLMSize]
    network: type[Any]
    config: Callable[[VLMSize], Any]
    feature_call: str
    pictures_name: str
    frame_axis: bool
    placeholder: str
    placeholder_key: str
    class_token: bool
    tower: str

    def tokens_per_frame(self, size: VLMSize) -> int:
        """Visual tokens of one picture."""
        return size.vision.tokens if self.class_token else size.vision.tokens - 1

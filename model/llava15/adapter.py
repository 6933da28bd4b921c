"""What tells LLaVA-1.5 from other models of its kind."""

from __future__ import annotations

from transformers import LlavaConfig, LlavaForConditionalGeneration

from model.configs import text_config, vision_config
from model.sizes import CLIP_VIT_L_14_336, TINY_TEXT, VICUNA_7B, VisionSize, VLMSize
from model.vlm.family import Family


def _config(size: VLMSize) -> LlavaConfig:
    """transformers' configuration; the features are the last layer's but one, without the class token."""
    return LlavaConfig(
        vision_config=vision_config(size.vision),
        text_config=text_config(size.text, bos_token_id=1, eos_token_id=None, pad_token_id=0),
        image_token_id=32000 if size.text.vocabulary > 32000 else size.text.vocabulary - 1,
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
        image_seq_length=size.vision.tokens - 1,
    )


FAMILY = Family(
    name="llava15",
    sizes={
        size.name: size
        for size in (
            VLMSize(name="7b", vision=CLIP_VIT_L_14_336, text=VICUNA_7B, frames=1),
            # The same pictures, patches and visual tokens, a narrow network.
            VLMSize(
                name="tiny",
                vision=VisionSize(layers=2, hidden=64, mlp=256, heads=4, image=336, patch=14),
                text=TINY_TEXT,
                frames=1,
            ),
        )
    },
    network=LlavaForConditionalGeneration,
    config=_config,
    feature_call="get_image_features",
    pictures_name="pixel_values",
    frame_axis=False,
    placeholder="<image>",
    placeholder_key="image_token_id",
    class_token=False,
    tower="vision_tower",
)

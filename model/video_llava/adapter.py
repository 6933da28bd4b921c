"""What tells Video-LLaVA from other models of its kind."""

from __future__ import annotations

from transformers import VideoLlavaConfig, VideoLlavaForConditionalGeneration

from model.configs import text_config, vision_config
from model.sizes import LANGUAGEBIND_VIT_L_14, TINY_TEXT, VICUNA_7B, VisionSize, VLMSize
from model.vlm.family import Family


def _config(size: VLMSize) -> VideoLlavaConfig:
    """transformers' configuration; the features are the last layer's but one, with each frame's class token."""
    special = 32000 if size.text.vocabulary > 32001 else size.text.vocabulary - 2
    return VideoLlavaConfig(
        vision_config=vision_config(size.vision),
        text_config=text_config(size.text, bos_token_id=1, eos_token_id=None, pad_token_id=0),
        image_token_id=special,
        video_token_id=special + 1,
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
        video_seq_length=size.frames * size.vision.tokens,
    )


FAMILY = Family(
    name="video_llava",
    sizes={
        size.name: size
        for size in (
            VLMSize(name="7b", vision=LANGUAGEBIND_VIT_L_14, text=VICUNA_7B, frames=8),
            # The same frames, patches and visual tokens, a narrow network.
            VLMSize(
                name="tiny",
                vision=VisionSize(layers=2, hidden=64, mlp=256, heads=4, image=224, patch=14),
                text=TINY_TEXT,
                frames=8,
            ),
        )
    },
    network=VideoLlavaForConditionalGeneration,
    config=_config,
    feature_call="get_video_features",
    pictures_name="pixel_values_videos",
    frame_axis=True,
    placeholder="<video>",
    placeholder_key="video_token_id",
    class_token=True,
    tower="video_tower",
)

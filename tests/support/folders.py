"""Configurations of small models of transformers, by their types, and the folders that they lie in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

from model.hf.adapter import StagedFolder
from model.registry import ModelOptions, find

IMAGE = 290
TEXT = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 16,
    "num_key_value_heads": 2, "vocab_size": 300, "max_position_embeddings": 512, "bos_token_id": 1, "eos_token_id": 2,
    "pad_token_id": 0,
}  # fmt: skip
VISION = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56,
    "patch_size": 14,
}  # fmt: skip
SIGLIP = {**VISION, "model_type": "siglip_vision_model"}
MROPE = {**TEXT, "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6}}
QWEN_VISION = {"depth": 2, "num_heads": 2, "patch_size": 14, "spatial_merge_size": 2}
QWEN = {"image_token_id": IMAGE, "video_token_id": 291, "vision_start_token_id": 292, "vision_end_token_id": 293}

# By model type: the configuration, and the visual tokens that its pictures come to.
CONFIGS: dict[str, tuple[dict[str, Any], int]] = {
    "qwen2_vl": (
        {
            "text_config": MROPE,
            "vision_config": {**QWEN_VISION, "embed_dim": 32, "hidden_size": 64, "mlp_ratio": 2},
            **QWEN,
        },
        64,
    ),
    "qwen2_5_vl": (
        {
            "text_config": MROPE,
            "vision_config": {
                **QWEN_VISION, "hidden_size": 32, "out_hidden_size": 64, "intermediate_size": 64,
                "fullatt_block_indexes": [1],
            },
            **QWEN,
        },
        64,
    ),
    "gemma3": (
        {
            "text_config": {**TEXT, "sliding_window": 64}, "vision_config": SIGLIP, "mm_tokens_per_image": 4,
            "image_token_index": IMAGE, "boi_token_index": 291, "eoi_token_index": 292,
        },
        4,
    ),
    "internvl": (
        {
            "text_config": {**TEXT, "model_type": "qwen2"},
            "vision_config": {**VISION, "image_size": [56, 56], "patch_size": [14, 14]},
            "image_token_id": IMAGE,
        },
        4,
    ),
    "smolvlm": (
        {
            "text_config": {**TEXT, "model_type": "llama"}, "vision_config": VISION, "image_token_id": IMAGE,
            "scale_factor": 2,
        },
        4,
    ),
    "paligemma": (
        {
            "text_config": {**TEXT, "model_type": "gemma"}, "vision_config": SIGLIP, "image_token_index": IMAGE,
            "projection_dim": 64,
        },
        16,
    ),
    "llava": (
        {
            "text_config": {**TEXT, "model_type": "llama"},
            "vision_config": {**VISION, "model_type": "clip_vision_model", "projection_dim": 32},
            "image_token_index": IMAGE,
        },
        16,
    ),
    "llama4": (  # features in the last hidden state, as wide as the tower
        {
            "text_config": {
                **TEXT, "num_local_experts": 2, "num_experts_per_tok": 1, "intermediate_size_mlp": 128,
                "moe_layers": [0, 1], "no_rope_layers": [1, 1],
            },
            "vision_config": {
                **VISION, "projector_input_dim": 48, "projector_output_dim": 48, "vision_output_dim": 48,
                "intermediate_size": 128, "pixel_shuffle_ratio": 0.5,
            },
            "image_token_index": IMAGE, "boi_token_index": 291, "eoi_token_index": 292,
        },
        4,
    ),
    "lfm2_vl": (
        {
            "text_config": {**TEXT, "model_type": "lfm2", "layer_types": ["conv", "full_attention"]},
            "vision_config": {**VISION, "model_type": "siglip2_vision_model", "num_patches": 16},
            "image_token_id": IMAGE, "downsample_factor": 2, "projector_hidden_size": 64,
        },
        64,
    ),
    "video_llama_3": (
        {
            "text_config": {**TEXT, "model_type": "qwen2"}, "vision_config": VISION, "image_token_id": IMAGE,
            "video_token_id": 291,
        },
        256,
    ),
    "paddleocr_vl": (
        {"text_config": MROPE, "vision_config": {**VISION, "spatial_merge_size": 2}, **QWEN},
        64,
    ),
    "mistral3": (
        {
            "text_config": {**TEXT, "model_type": "mistral"}, "vision_config": {**VISION, "model_type": "pixtral"},
            "image_token_index": IMAGE, "spatial_merge_size": 2,
        },
        4,
    ),
    "lighton_ocr": (
        {
            "text_config": {**TEXT, "model_type": "qwen3"}, "vision_config": {**VISION, "model_type": "pixtral"},
            "image_token_id": IMAGE, "spatial_merge_size": 2,
        },
        4,
    ),
}  # fmt: skip
# Cross-attention: pictures never become tokens of the prompt.
MLLAMA = {
    "text_config": {**TEXT, "cross_attention_layers": [1], "model_type": "mllama_text_model"},
    "vision_config": {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_global_layers": 1,
        "attention_heads": 2, "image_size": 56, "patch_size": 14, "max_num_tiles": 1, "vision_output_dim": 64,
        "intermediate_layers_indices": [0], "supported_aspect_ratios": [[1, 1]],
    },
    "image_token_index": 299,
}  # fmt: skip


def write_folder(folder: Path, model_type: str, config: dict[str, Any]) -> Path:
    """A folder with that configuration alone."""
    transformers.AutoConfig.for_model(model_type, **config).save_pretrained(folder)
    return folder


def build_folder(folder: Path, **options: Any) -> StagedFolder:
    """Its model, on the CPU."""
    given = {"size": "", "device": "cpu", "dtype": "float32", "prompt_tokens": 12, **options}
    built = find(f"hf:{folder}").build(ModelOptions(**given))
    assert isinstance(built, StagedFolder)
    return built

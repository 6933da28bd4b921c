"""Answers for `gpu_repetition.py`: models that look at pictures, and encoder-decoder models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers as tf
from gpu_truth import DEVICE, Truth, answers, ready, shapes, words

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[], None]

HALF, FULL = torch.float16, torch.float32
PICTURE = 31990


def tower(hidden: int = 512, layers: int = 6, size: int = 224, patch: int = 14, **more: Any) -> dict[str, Any]:
    return {
        "hidden_size": hidden, "intermediate_size": 4 * hidden, "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64, "image_size": size, "patch_size": patch, **more,
    }  # fmt: skip


def _seeing(model: Any, tower: Any, pictures: int, seen: dict[str, Any], **options: Any) -> Run:
    """A prompt with so many tokens of a picture in it."""
    prompt = torch.cat([torch.full((1, pictures), PICTURE, device=DEVICE), words(1, 30)], dim=1)
    dtype = next(model.parameters()).dtype
    seen = {key: value.to(DEVICE, dtype if value.is_floating_point() else value.dtype) for key, value in seen.items()}
    return answers(model, truth=Truth(model, tower), seen={"input_ids": prompt, **seen}, **options)


def llava(dtype: Any = torch.bfloat16, **options: Any) -> Run:
    text = tf.AutoConfig.for_model("llama", **shapes(1024, 6))
    config = tf.LlavaConfig(
        vision_config=tf.CLIPVisionConfig(**tower()), text_config=text, image_token_index=PICTURE, image_seq_length=256
    )
    model = ready(tf.LlavaForConditionalGeneration(config), dtype)
    return _seeing(model, model.model.vision_tower, 256, {"pixel_values": torch.randn(1, 3, 224, 224)}, **options)


def _qwen2_5_vl(**options: Any) -> Run:
    config = tf.Qwen2_5_VLConfig(
        text_config=shapes(1024, 6, rope_scaling={"type": "mrope", "mrope_section": [8, 12, 12]}),
        vision_config={
            "depth": 6, "hidden_size": 512, "intermediate_size": 1024, "num_heads": 8, "out_hidden_size": 1024,
            "fullatt_block_indexes": [2, 5],
        },
        image_token_id=PICTURE, video_token_id=PICTURE + 1, vision_start_token_id=PICTURE + 2,
        vision_end_token_id=PICTURE + 3,
    )  # fmt: skip
    model = ready(tf.Qwen2_5_VLForConditionalGeneration(config))
    seen = {"pixel_values": torch.randn(1024, 1176), "image_grid_thw": torch.tensor([[1, 32, 32]])}
    return _with_types(model, model.model.visual, 256, seen, **options)


def _qwen3_vl(**options: Any) -> Run:
    config = tf.Qwen3VLConfig(
        text_config=shapes(1024, 6, head_dim=64, rope_scaling={"rope_type": "default", "mrope_section": [12, 10, 10]}),
        vision_config={
            "depth": 6, "hidden_size": 512, "intermediate_size": 1024, "num_heads": 8, "out_hidden_size": 1024,
            "deepstack_visual_indexes": [1, 3, 5],
        },
        image_token_id=PICTURE, video_token_id=PICTURE + 1, vision_start_token_id=PICTURE + 2,
        vision_end_token_id=PICTURE + 3,
    )  # fmt: skip
    model = ready(tf.Qwen3VLForConditionalGeneration(config))
    seen = {"pixel_values": torch.randn(1024, 1536), "image_grid_thw": torch.tensor([[1, 32, 32]])}
    return _with_types(model, model.model.visual, 256, seen, **options)


def _with_types(model: Any, tower: Any, pictures: int, seen: dict[str, Any], **options: Any) -> Run:
    types = torch.cat([torch.ones(1, pictures, dtype=torch.long), torch.zeros(1, 30, dtype=torch.long)], dim=1)
    return _seeing(model, tower, pictures, {**seen, "mm_token_type_ids": types}, **options)


def _paligemma() -> Run:
    text = tf.AutoConfig.for_model("gemma", **shapes(1024, 6, head_dim=64))
    config = tf.PaliGemmaConfig(
        vision_config=tf.SiglipVisionConfig(**tower(projection_dim=1024)), text_config=text,
        image_token_index=PICTURE, projection_dim=1024, hidden_size=1024,
    )  # fmt: skip
    config.text_config.num_image_tokens = 256
    model = ready(tf.PaliGemmaForConditionalGeneration(config))
    types = torch.zeros(1, 286, dtype=torch.long)
    seen = {"pixel_values": torch.randn(1, 3, 224, 224), "token_type_ids": types}
    return _seeing(model, model.model.vision_tower, 256, seen)


def _idefics3(kind: Any, config_of: Any) -> Run:
    config = config_of(
        vision_config=tower(size=224), text_config=tf.LlamaConfig(**shapes(1024, 6)), image_token_id=PICTURE,
        scale_factor=2, pad_token_id=0,
    )  # fmt: skip
    model = ready(kind(config))
    return _seeing(model, model.model.vision_model, 64, {"pixel_values": torch.randn(1, 1, 3, 224, 224)}, tokens=20)


def _internvl() -> Run:
    config = tf.InternVLConfig(
        vision_config=tower(size=[224, 224], patch=[14, 14]), text_config=tf.Qwen2Config(**shapes(1024, 6)),
        image_token_id=PICTURE, image_seq_length=64,
    )  # fmt: skip
    model = ready(tf.InternVLForConditionalGeneration(config))
    return _seeing(model, model.model.vision_tower, 64, {"pixel_values": torch.randn(1, 3, 224, 224)})


def _gemma3() -> Run:
    config = tf.Gemma3Config(
        vision_config=tf.SiglipVisionConfig(**tower(vision_use_head=False)),
        text_config=tf.Gemma3TextConfig(**shapes(1024, 6, head_dim=64, sliding_window=128)),
        image_token_index=PICTURE, mm_tokens_per_image=64,
    )  # fmt: skip
    model = ready(tf.Gemma3ForConditionalGeneration(config))
    types = torch.cat([torch.ones(1, 64, dtype=torch.long), torch.zeros(1, 30, dtype=torch.long)], dim=1)
    seen = {"pixel_values": torch.randn(1, 3, 224, 224), "token_type_ids": types}
    return _seeing(model, model.model.vision_tower, 64, seen)


def _video_llava() -> Run:
    config = tf.VideoLlavaConfig(
        vision_config=tf.CLIPVisionConfig(**tower()), text_config=tf.LlamaConfig(**shapes(1024, 6)),
        image_token_index=PICTURE + 1, video_token_index=PICTURE, video_seq_length=8 * 257, image_seq_length=256,
    )  # fmt: skip
    model = ready(tf.VideoLlavaForConditionalGeneration(config))
    seen = {"pixel_values_videos": torch.randn(1, 8, 3, 224, 224)}
    return _seeing(model, model.model.video_tower, 8 * 257, seen, tokens=24)


def _mllama() -> Run:
    text = shapes(1024, 8, cross_attention_layers=[2, 5], rope_scaling={"rope_type": "default"}, rope_theta=1e4)
    vision = tower(attention_heads=8, max_num_tiles=1, num_global_layers=2, supported_aspect_ratios=[[1, 1]])
    vision |= {"intermediate_layers_indices": [1, 3], "vision_output_dim": 512 * 3}
    model = ready(tf.MllamaForConditionalGeneration(tf.MllamaConfig(vision_config=vision, text_config=text)))
    seen = {
        "pixel_values": torch.randn(1, 1, 1, 3, 224, 224), "aspect_ratio_ids": torch.ones(1, 1, dtype=torch.long),
        "aspect_ratio_mask": torch.ones(1, 1, 1, dtype=torch.long),
        "cross_attention_mask": torch.ones(1, 94, 1, 1, dtype=torch.long),
    }  # fmt: skip
    return _seeing(model, model.model.vision_model, 64, seen)


def _florence2() -> Run:
    config = tf.Florence2Config(
        text_config=tf.BartConfig(
            vocab_size=32000, d_model=768, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=3072,
            decoder_ffn_dim=3072, encoder_attention_heads=12, decoder_attention_heads=12,
        ),
        vision_config={"projection_dim": 768}, image_token_id=PICTURE,
    )  # fmt: skip
    model = ready(tf.Florence2ForConditionalGeneration(config))
    return _seeing(model, model.model.vision_tower, 577, {"pixel_values": torch.randn(1, 3, 768, 768)}, num_beams=3)


def _blip2() -> Run:
    config = tf.Blip2Config(
        vision_config=tower(), qformer_config={"num_hidden_layers": 4, "encoder_hidden_size": 512},
        text_config=tf.OPTConfig(
            vocab_size=32000, hidden_size=1024, num_hidden_layers=6, ffn_dim=4096, num_attention_heads=16,
            word_embed_proj_dim=1024,
        ),
        image_token_index=PICTURE, num_query_tokens=32,
    )  # fmt: skip
    model = ready(tf.Blip2ForConditionalGeneration(config))
    truth = Truth(model.language_model, model.vision_model)
    prompt = torch.cat([torch.full((1, 32), PICTURE, device=DEVICE), words(1, 30)], dim=1)
    picture = torch.randn(1, 3, 224, 224, device=DEVICE, dtype=torch.bfloat16)
    return answers(model, truth=truth, seen={"input_ids": prompt, "pixel_values": picture})


def seq2seq(kind: str, length: int, batch: int = 1, dtype: Any = torch.bfloat16, **more: Any) -> Run:
    options = {key: more.pop(key) for key in ("num_beams", "do_sample", "tokens") if key in more}
    config = tf.AutoConfig.for_model(
        kind, **{"vocab_size": 32000, "pad_token_id": 0, "decoder_start_token_id": 3, **more}
    )
    model = ready(tf.AutoModelForSeq2SeqLM.from_config(config), dtype)
    model.generation_config.forced_eos_token_id = None
    return answers(model, length, batch=batch, truth=Truth(model, model.get_encoder()), **options)


def bart(d: int = 768, layers: int = 6) -> dict[str, Any]:
    return {
        "d_model": d, "encoder_layers": layers, "decoder_layers": layers, "encoder_ffn_dim": 4 * d,
        "decoder_ffn_dim": 4 * d, "encoder_attention_heads": d // 64, "decoder_attention_heads": d // 64,
    }  # fmt: skip


def _whisper(calls: int = 1, **options: Any) -> Run:
    config = tf.WhisperConfig(**{**bart(512), "vocab_size": 32000, "decoder_start_token_id": 3, "pad_token_id": 0})
    config.eos_token_id = config.bos_token_id = 2
    config.suppress_tokens = config.begin_suppress_tokens = None
    model = ready(tf.WhisperForConditionalGeneration(config), HALF)
    model.generation_config.eos_token_id = 2
    model.generation_config.suppress_tokens = model.generation_config.begin_suppress_tokens = None
    heard = torch.randn(1, 80, 3000, device=DEVICE, dtype=HALF)
    truth = Truth(model, model.get_encoder())
    generate = super(type(model), model).generate  # not the one that cuts long audio

    @torch.no_grad()
    def run() -> None:
        for number in range(calls):
            truth.passes, new = 0, 20 + 5 * number
            start = torch.tensor([[3, 7, 9, 11]], device=DEVICE)
            generate(
                input_features=heard, decoder_input_ids=start, max_new_tokens=new, min_new_tokens=new,
                **{"do_sample": False, **options},
            )  # fmt: skip

    return run


def _pix2struct_like() -> Run:
    config = tf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        tf.ViTConfig(**tower()), tf.GPT2Config(vocab_size=32000, n_embd=512, n_layer=6, n_head=8)
    )
    model = ready(tf.VisionEncoderDecoderModel(config))
    model.config.decoder_start_token_id = model.generation_config.decoder_start_token_id = 3
    model.generation_config.eos_token_id = 2
    picture = torch.randn(4, 3, 224, 224, device=DEVICE, dtype=torch.bfloat16)
    return answers(model, truth=Truth(model, model.encoder), seen={"pixel_values": picture}, tokens=24)


SEEING: dict[str, Callable[[], Run]] = {
    "llava": llava,
    "llava_fp32_many": lambda: llava(FULL, tokens=60),
    "qwen2_5_vl": _qwen2_5_vl,
    "qwen3_vl": _qwen3_vl,
    "paligemma": _paligemma,
    "idefics3": lambda: _idefics3(tf.Idefics3ForConditionalGeneration, tf.Idefics3Config),
    "smolvlm": lambda: _idefics3(tf.SmolVLMForConditionalGeneration, tf.SmolVLMConfig),
    "internvl": _internvl,
    "gemma3_vl": _gemma3,
    "video_llava": _video_llava,
    "mllama": _mllama,
    "florence2": _florence2,
    "blip2": _blip2,
    "bart": lambda: seq2seq("bart", 300, **bart()),
    "bart_beams": lambda: seq2seq("bart", 300, num_beams=4, **bart()),
    "mbart_batch": lambda: seq2seq("mbart", 60, batch=8, dtype=HALF, **bart()),
    "pegasus_short": lambda: seq2seq("pegasus", 8, **bart()),
    "marian": lambda: seq2seq("marian", 30, dtype=FULL, tokens=30, **bart(512)),
    "t5_small": lambda: seq2seq("t5", 120, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8),
    "t5_batch": lambda: seq2seq("t5", 120, batch=8, d_model=768, d_kv=64, d_ff=2048, num_layers=8, num_heads=12),
    "whisper": _whisper,
    "whisper_calls": lambda: _whisper(4),
    "captions": _pix2struct_like,
}

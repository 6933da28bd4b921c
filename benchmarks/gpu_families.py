"""Answers for `gpu_repetition.py`: many families of models, ways of attending, precisions, lengths and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers as tf
from gpu_truth import DEVICE, Truth, answers, causal, ready, shapes, words
from torch.profiler import record_function

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[], None]

HALF, FULL = torch.float16, torch.float32
PICTURE = 31990


def _tower(hidden: int = 512, layers: int = 6, size: int = 224, patch: int = 14, **more: Any) -> dict[str, Any]:
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


def _llava(dtype: Any = torch.bfloat16, **options: Any) -> Run:
    text = tf.AutoConfig.for_model("llama", **shapes(1024, 6))
    config = tf.LlavaConfig(
        vision_config=tf.CLIPVisionConfig(**_tower()), text_config=text, image_token_index=PICTURE, image_seq_length=256
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
        vision_config=tf.SiglipVisionConfig(**_tower(projection_dim=1024)), text_config=text,
        image_token_index=PICTURE, projection_dim=1024, hidden_size=1024,
    )  # fmt: skip
    config.text_config.num_image_tokens = 256
    model = ready(tf.PaliGemmaForConditionalGeneration(config))
    types = torch.zeros(1, 286, dtype=torch.long)
    seen = {"pixel_values": torch.randn(1, 3, 224, 224), "token_type_ids": types}
    return _seeing(model, model.model.vision_tower, 256, seen)


def _idefics3(kind: Any, config_of: Any) -> Run:
    config = config_of(
        vision_config=_tower(size=224), text_config=tf.LlamaConfig(**shapes(1024, 6)), image_token_id=PICTURE,
        scale_factor=2, pad_token_id=0,
    )  # fmt: skip
    model = ready(kind(config))
    return _seeing(model, model.model.vision_model, 64, {"pixel_values": torch.randn(1, 1, 3, 224, 224)}, tokens=20)


def _internvl() -> Run:
    config = tf.InternVLConfig(
        vision_config=_tower(size=[224, 224], patch=[14, 14]), text_config=tf.Qwen2Config(**shapes(1024, 6)),
        image_token_id=PICTURE, image_seq_length=64,
    )  # fmt: skip
    model = ready(tf.InternVLForConditionalGeneration(config))
    return _seeing(model, model.model.vision_tower, 64, {"pixel_values": torch.randn(1, 3, 224, 224)})


def _gemma3() -> Run:
    config = tf.Gemma3Config(
        vision_config=tf.SiglipVisionConfig(**_tower(vision_use_head=False)),
        text_config=tf.Gemma3TextConfig(**shapes(1024, 6, head_dim=64, sliding_window=128)),
        image_token_index=PICTURE, mm_tokens_per_image=64,
    )  # fmt: skip
    model = ready(tf.Gemma3ForConditionalGeneration(config))
    types = torch.cat([torch.ones(1, 64, dtype=torch.long), torch.zeros(1, 30, dtype=torch.long)], dim=1)
    seen = {"pixel_values": torch.randn(1, 3, 224, 224), "token_type_ids": types}
    return _seeing(model, model.model.vision_tower, 64, seen)


def _video_llava() -> Run:
    config = tf.VideoLlavaConfig(
        vision_config=tf.CLIPVisionConfig(**_tower()), text_config=tf.LlamaConfig(**shapes(1024, 6)),
        image_token_index=PICTURE + 1, video_token_index=PICTURE, video_seq_length=8 * 257, image_seq_length=256,
    )  # fmt: skip
    model = ready(tf.VideoLlavaForConditionalGeneration(config))
    seen = {"pixel_values_videos": torch.randn(1, 8, 3, 224, 224)}
    return _seeing(model, model.model.video_tower, 8 * 257, seen, tokens=24)


def _mllama() -> Run:
    text = shapes(1024, 8, cross_attention_layers=[2, 5], rope_scaling={"rope_type": "default"}, rope_theta=1e4)
    vision = _tower(attention_heads=8, max_num_tiles=1, num_global_layers=2, supported_aspect_ratios=[[1, 1]])
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
        vision_config=_tower(), qformer_config={"num_hidden_layers": 4, "encoder_hidden_size": 512},
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


def _seq2seq(kind: str, length: int, batch: int = 1, dtype: Any = torch.bfloat16, **more: Any) -> Run:
    options = {key: more.pop(key) for key in ("num_beams", "do_sample", "tokens") if key in more}
    config = tf.AutoConfig.for_model(
        kind, **{"vocab_size": 32000, "pad_token_id": 0, "decoder_start_token_id": 3, **more}
    )
    model = ready(tf.AutoModelForSeq2SeqLM.from_config(config), dtype)
    model.generation_config.forced_eos_token_id = None
    return answers(model, length, batch=batch, truth=Truth(model, model.get_encoder()), **options)


def _bart(d: int = 768, layers: int = 6) -> dict[str, Any]:
    return {
        "d_model": d, "encoder_layers": layers, "decoder_layers": layers, "encoder_ffn_dim": 4 * d,
        "decoder_ffn_dim": 4 * d, "encoder_attention_heads": d // 64, "decoder_attention_heads": d // 64,
    }  # fmt: skip


def _whisper(calls: int = 1, **options: Any) -> Run:
    config = tf.WhisperConfig(**{**_bart(512), "vocab_size": 32000, "decoder_start_token_id": 3, "pad_token_id": 0})
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
        tf.ViTConfig(**_tower()), tf.GPT2Config(vocab_size=32000, n_embd=512, n_layer=6, n_head=8)
    )
    model = ready(tf.VisionEncoderDecoderModel(config))
    model.config.decoder_start_token_id = model.generation_config.decoder_start_token_id = 3
    model.generation_config.eos_token_id = 2
    picture = torch.randn(4, 3, 224, 224, device=DEVICE, dtype=torch.bfloat16)
    return answers(model, truth=Truth(model, model.encoder), seen={"pixel_values": picture}, tokens=24)


def _replayed(batch: int = 1, *, sample: bool = False, reads: bool = True, hidden: int = 1024) -> Run:
    """Steps of a static cache as one graph of somebody's own, behind an eager prompt."""
    model = causal("llama", hidden, 8)
    cache = tf.StaticCache(config=model.config, max_cache_len=512)
    prompt, token = words(batch, 180), words(batch, 1)
    place = torch.tensor([180], device=DEVICE)
    graph, held = torch.cuda.CUDAGraph(), {}

    def step() -> None:
        out = model(token, past_key_values=cache, position_ids=place[None].expand(batch, 1), use_cache=True)
        held["logits"] = out.logits[:, -1]

    def choose(logits: torch.Tensor) -> torch.Tensor:
        if sample:
            kept, at = torch.topk(logits.float() / 0.8, 50)
            return at.gather(1, torch.multinomial(torch.softmax(kept, -1), 1))
        return logits.argmax(-1, keepdim=True)

    with torch.no_grad():
        cache.reset()
        model(prompt, past_key_values=cache, use_cache=True)
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            step()
            torch.cuda.synchronize()
        with torch.cuda.graph(graph):
            step()

    @torch.no_grad()
    def run() -> None:
        cache.reset()
        place.fill_(180)
        with record_function("truth/prefill"):
            token.copy_(choose(model(prompt, past_key_values=cache, use_cache=True).logits[:, -1]))
        for _ in range(30):
            with record_function("truth/decode"):
                graph.replay()
                token.copy_(choose(held["logits"]))
                place.add_(1)
            if reads and token[0].item() == -1:
                break

    return run


def _own(prompts: tuple[int, ...], *, reads: bool = False, stream: bool = False, steps: int = 20, **more: Any) -> Run:
    """A loop of somebody's own, which may read nothing back and use a stream of its own for what it sends."""
    model = causal(**{"kind": "qwen2", **more})
    requests = [words(1, length) for length in prompts]
    beside = torch.cuda.Stream() if stream and DEVICE == "cuda" else None

    @torch.no_grad()
    def run() -> None:
        for prompt in requests:
            tokens, cache = prompt, None
            for step in range(steps):
                with record_function("truth/decode" if step else "truth/prefill"):
                    out = model(tokens, past_key_values=cache, use_cache=True)
                    cache, tokens = out.past_key_values, out.logits[:, -1].argmax(-1, keepdim=True)
                if beside is not None:
                    with torch.cuda.stream(beside):
                        tokens.to("cpu", non_blocking=True)
                if reads and tokens.item() == -1:
                    break

    return run


def _chunked() -> Run:
    model = causal("llama")
    return answers(model, 1024, prefill_chunk_size=256, truth=Truth(model, chunks=4))


def _streamed() -> Run:
    class Streamer(tf.generation.streamers.BaseStreamer):
        def put(self, value: Any) -> None:
            value.tolist()

        def end(self) -> None:
            return

    return answers(causal("mistral", sliding_window=64), 200, streamer=Streamer())


def _rollouts() -> Run:
    """Answers of a batch, then a step of training on them, twice."""
    model = causal("llama", layers=6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    ask = answers(model, 60, batch=8, tokens=16, do_sample=True)
    batch = words(8, 76)

    def run() -> None:
        for _ in range(2):
            model.eval()
            ask()
            model.train()
            model(batch, labels=batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return run


FAMILIES: dict[str, Callable[[], Run]] = {
    "llama_fp16": lambda: answers(causal("llama", 2048, 10, dtype=HALF), 500, tokens=30),
    "llama_fp32": lambda: answers(causal("llama", 512, 4, dtype=FULL), 50),
    "llama_five": lambda: answers(causal("llama"), 5),
    "llama_one": lambda: answers(causal("llama"), 1),
    "llama_batch": lambda: answers(causal("llama"), 50, batch=8),
    "llama_five_batch": lambda: answers(causal("llama"), 5, batch=8),
    "llama_few": lambda: answers(causal("llama"), 500, tokens=3),
    "llama_many": lambda: answers(causal("llama", 512, 4), 3000, tokens=200),
    "llama_requests": lambda: answers(causal("llama"), 5, 50, 500, 3000, tokens=6),
    "llama_small_requests": lambda: answers(causal("llama", 256, 2), 20, 21, 22, 20, 7, tokens=5),
    "llama_processors": lambda: answers(
        causal("llama"), 100, do_sample=True, top_k=20, top_p=0.8, repetition_penalty=1.2, no_repeat_ngram_size=3
    ),
    "qwen3": lambda: answers(causal("qwen3", head_dim=64), 50, tokens=24),
    "qwen3_eager": lambda: answers(causal("qwen3", head_dim=128, attention="eager", dtype=HALF), 500, batch=2),
    "qwen3_moe": lambda: answers(
        causal("qwen3_moe", head_dim=64, num_experts=16, num_experts_per_tok=4, moe_intermediate_size=512), 200
    ),
    "qwen2_moe": lambda: answers(
        causal("qwen2_moe", num_experts=8, moe_intermediate_size=512, shared_expert_intermediate_size=512), 200, 20
    ),
    "qwen3_next": lambda: answers(
        causal(
            "qwen3_next", head_dim=64, num_experts=8, moe_intermediate_size=256, shared_expert_intermediate_size=256
        ),
        100,
    ),
    "deepseek_v3": lambda: answers(
        causal(
            "deepseek_v3",
            n_routed_experts=16,
            n_group=4,
            topk_group=2,
            num_experts_per_tok=4,
            q_lora_rank=256,
            kv_lora_rank=128,
            qk_rope_head_dim=32,
            qk_nope_head_dim=64,
            v_head_dim=64,
            moe_intermediate_size=512,
            first_k_dense_replace=1,
            num_key_value_heads=16,
        ),
        150,
    ),
    "gpt_oss": lambda: answers(
        causal("gpt_oss", head_dim=64, num_local_experts=8, num_experts_per_tok=2, attention="eager"), 150
    ),
    "olmo2": lambda: answers(causal("olmo2"), 50, batch=2),
    "olmoe": lambda: answers(causal("olmoe", num_experts=8, num_experts_per_tok=2), 50),
    "falcon": lambda: answers(causal("falcon", new_decoder_architecture=True, num_kv_heads=4), 300),
    "bloom": lambda: answers(causal("bloom", n_layer=8, n_head=16, attention="eager"), 100),
    "opt": lambda: answers(causal("opt", ffn_dim=4096, word_embed_proj_dim=1024), 100),
    "gemma2": lambda: answers(causal("gemma2", head_dim=64, sliding_window=64, attention="eager"), 300),
    "gemma": lambda: answers(causal("gemma", head_dim=256), 50, do_sample=True, top_k=50),
    "phi": lambda: answers(causal("phi", num_key_value_heads=16), 700),
    "starcoder2": lambda: answers(causal("starcoder2", sliding_window=64), 300),
    "rwkv": lambda: answers(causal("rwkv", attention_hidden_size=1024, context_length=512, attention="eager"), 50),
    "jamba": lambda: answers(
        causal("jamba", attn_layer_period=4, attn_layer_offset=2, num_experts=4, use_mamba_kernels=False), 60
    ),
    "zamba2": lambda: answers(
        causal("zamba2", 512, 8, num_key_value_heads=8, mamba_ngroups=1, n_mamba_heads=8, attention="eager"), 60
    ),
    "bamba": lambda: answers(causal("bamba", attn_layer_indices=[3, 6], mamba_n_heads=32, mamba_d_head=64), 60),
    "mamba2": lambda: answers(causal("mamba2", num_heads=32, head_dim=64, n_groups=1, attention="eager"), 60),
    "falcon_mamba": lambda: answers(causal("falcon_mamba", layers=6, attention="eager"), 40, batch=2),
    "recurrent_gemma": lambda: answers(causal("recurrent_gemma", lru_width=1024, attention_window_size=128), 60),
    "lfm2": lambda: answers(causal("lfm2", full_attn_idxs=[2, 5]), 60),
    "cohere": lambda: answers(causal("cohere"), 200, batch=4),
    "granite": lambda: answers(causal("granite", dtype=FULL), 200),
    "granitemoe": lambda: answers(causal("granitemoe", num_local_experts=8, num_experts_per_tok=2), 100),
    "stablelm": lambda: answers(causal("stablelm"), 64, num_beams=3),
    "gpt_neox": lambda: answers(causal("gpt_neox", attention="eager", dtype=HALF), 100),
    "gptj": lambda: answers(
        causal("gptj", n_embd=1024, n_layer=8, n_head=16, rotary_dim=32, attention="eager", n_positions=2048), 100
    ),
    "mpt": lambda: answers(causal("mpt", d_model=1024, n_heads=16, n_layers=8, attention="eager"), 100),
    "glm4": lambda: answers(causal("glm4", head_dim=64), 100),
    "smollm3": lambda: answers(causal("smollm3"), 300, tokens=40),
    "nemotron": lambda: answers(causal("nemotron"), 100),
    "xglm": lambda: answers(
        causal("xglm", d_model=1024, num_layers=8, ffn_dim=4096, attention_heads=16, attention="eager"), 100
    ),
    "gpt_bigcode": lambda: answers(causal("gpt_bigcode", n_embd=1024, n_layer=8, n_head=16), 100),
    "llama4": lambda: answers(
        causal("llama4_text", head_dim=64, num_local_experts=4, intermediate_size_mlp=2048, attention_chunk_size=128),
        100,
    ),
    "dbrx_like_phimoe": lambda: answers(causal("phimoe", num_local_experts=4), 100),
    "bert_decoder": lambda: answers(causal("bert", is_decoder=True), 50),
    "offloaded_quantized_like": lambda: answers(causal("llama"), 100, cache_implementation="offloaded"),
    "sliding_static": lambda: answers(
        causal("mistral", sliding_window=64), 100, cache_implementation="static", disable_compile=True
    ),
    "no_cache": lambda: answers(causal("llama"), 100, use_cache=False),
    "contrastive_like": lambda: answers(causal("llama"), 100, num_return_sequences=3, do_sample=True),
    "chunked": _chunked,
    "streamed": _streamed,
    "llava": _llava,
    "llava_fp32_many": lambda: _llava(FULL, tokens=60),
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
    "bart": lambda: _seq2seq("bart", 300, **_bart()),
    "bart_beams": lambda: _seq2seq("bart", 300, num_beams=4, **_bart()),
    "mbart_batch": lambda: _seq2seq("mbart", 60, batch=8, dtype=HALF, **_bart()),
    "pegasus_short": lambda: _seq2seq("pegasus", 8, **_bart()),
    "marian": lambda: _seq2seq("marian", 30, dtype=FULL, tokens=30, **_bart(512)),
    "t5_small": lambda: _seq2seq("t5", 120, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8),
    "t5_batch": lambda: _seq2seq("t5", 120, batch=8, d_model=768, d_kv=64, d_ff=2048, num_layers=8, num_heads=12),
    "whisper": _whisper,
    "whisper_calls": lambda: _whisper(4),
    "captions": _pix2struct_like,
    "replayed": _replayed,
    "replayed_batch": lambda: _replayed(8, sample=True),
    "replayed_unread": lambda: _replayed(1, reads=False, hidden=512),
    "own_unread": lambda: _own((100,)),
    "own_beside": lambda: _own((200, 300), stream=True),
    "own_reads": lambda: _own((60, 60, 60), reads=True, steps=8, hidden=512, layers=4),
    "own_eager_short": lambda: _own((4, 4, 4), reads=True, steps=8, attention="eager", layers=4),
    "own_long": lambda: _own((2000,), reads=True, steps=100, layers=3, hidden=512),
    "rollouts": _rollouts,
}

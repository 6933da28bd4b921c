"""Answers for `gpu_repetition.py`: families of language models, precisions, lengths and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers as tf
from gpu_truth import DEVICE, Truth, answers, causal, words
from torch.profiler import record_function

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[], None]

HALF, FULL = torch.float16, torch.float32


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

"""For `gpu_repetition.py`: what else is done around answers, and further ways of answering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers as tf
from gpu_diffusion import diffusion
from gpu_seeing import bart, llava, seq2seq
from gpu_trainings import trains
from gpu_truth import DEVICE, answers, causal, over_batches, ready, words
from torch import nn
from torch.nn import functional
from torch.profiler import record_function

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[], None]

HALF = torch.float16


def _then(*runs: Run) -> Run:
    def run() -> None:
        for one in runs:
            one()

    return run


def _passes(stage: str) -> Any:
    return record_function(f"truth/{stage}")


def _shrinks() -> Run:
    """A batch whose sequences end one after the other: the cache keeps those that go on."""
    model, prompt = causal("llama"), words(8, 60)

    @torch.no_grad()
    def run() -> None:
        tokens, cache = prompt, None
        for step in range(24):
            with _passes("decode" if step else "prefill"):
                out = model(tokens, past_key_values=cache, use_cache=True)
                cache, tokens = out.past_key_values, out.logits[:, -1].argmax(-1, keepdim=True)
            tokens.tolist()
            if step and step % 6 == 0:
                kept = torch.arange(max(1, len(tokens) // 2), device=DEVICE)
                cache.batch_select_indices(kept)
                tokens = tokens[kept]

    return run


def _turns(*lengths: int, steps: int = 10, **more: Any) -> Run:
    """Turns of a conversation whose cache is kept."""
    model = causal(**{"kind": "llama", **more})
    prompts = [words(1, length) for length in lengths]

    @torch.no_grad()
    def run() -> None:
        cache = None
        for prompt in prompts:
            tokens = prompt
            for step in range(steps):
                with _passes("decode" if step else "prefill"):
                    out = model(tokens, past_key_values=cache, use_cache=True)
                    cache, tokens = out.past_key_values, out.logits[:, -1].argmax(-1, keepdim=True)
                tokens.item()

    return run


def _own_chunks() -> Run:
    model, prompt = causal("qwen2"), words(1, 2048)

    @torch.no_grad()
    def run() -> None:
        cache = None
        for part in prompt.split(512, 1):
            with _passes("prefill"):
                out = model(part, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
        for _ in range(20):
            with _passes("decode"):
                out = model(out.logits[:, -1].argmax(-1, keepdim=True), past_key_values=cache, use_cache=True)
            cache = out.past_key_values

    return run


def _drafted() -> Run:
    """A loop of somebody's own in which a small model drafts three tokens and a large one checks them."""
    small, large, prompt = causal("llama", 512, 2), causal("llama"), words(1, 100)

    @torch.no_grad()
    def run() -> None:
        with _passes("prefill"):
            out, drafted = large(prompt, use_cache=True), small(prompt, use_cache=True)
        for _ in range(10):
            tokens = [out.logits[:, -1].argmax(-1, keepdim=True)]
            for _ in range(3):
                with _passes("draft"):
                    drafted = small(tokens[-1], past_key_values=drafted.past_key_values, use_cache=True)
                    tokens.append(drafted.logits[:, -1].argmax(-1, keepdim=True))
            with _passes("decode"):
                out = large(torch.cat(tokens, 1), past_key_values=out.past_key_values, use_cache=True)
                out.logits.argmax(-1).tolist()

    return run


def _guided() -> Run:
    """Two passes a token, one without the prompt."""
    model, prompt = causal("llama"), words(1, 120)

    @torch.no_grad()
    def run() -> None:
        tokens, other, caches = prompt, prompt[:, -1:], [None, None]
        for step in range(16):
            with _passes("decode" if step else "prefill"):
                told = model(tokens, past_key_values=caches[0], use_cache=True)
                free = model(other, past_key_values=caches[1], use_cache=True)
                caches = [told.past_key_values, free.past_key_values]
                mixed = free.logits[:, -1] + 1.5 * (told.logits[:, -1] - free.logits[:, -1])
                tokens = other = mixed.argmax(-1, keepdim=True)
            tokens.item()

    return run


def _padded() -> Run:
    model, prompt = causal("llama"), words(4, 80)
    mask = torch.ones_like(prompt)
    for row in range(4):
        mask[row, : 10 * row] = 0
    return answers(model, seen={"input_ids": prompt, "attention_mask": mask})


def _compiled(**options: Any) -> Run:
    return answers(causal("llama", 512, 4), 60, cache_implementation="static", tokens=24, **options)


def _compiled_forward() -> Run:
    model = causal("qwen2", 512, 4)
    model.forward = torch.compile(model.forward, dynamic=True)
    return answers(model, 100, tokens=20)


def _few_bits() -> Run:
    """Weights of eight bits, made wide before each product."""

    class Linear(nn.Module):
        def __init__(self, base: nn.Linear) -> None:
            super().__init__()
            self.scale = base.weight.abs().amax(1, keepdim=True) / 127
            self.weight = nn.Parameter((base.weight / self.scale).round().to(torch.int8), requires_grad=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.linear(x, self.weight.to(x.dtype) * self.scale)

    model = causal("llama")
    for layer in model.model.layers:
        for part in (layer.self_attn, layer.mlp):
            for name, child in list(part.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(part, name, Linear(child))
    return answers(model, 100)


def _continuous() -> Run:
    """Requests that come and go, as transformers batches them."""
    model = causal("llama", 1024, 4, attention="sdpa_paged" if DEVICE == "cpu" else "paged|sdpa")
    prompts = [words(1, length)[0].tolist() for length in (40, 100, 300, 20)]
    config = tf.GenerationConfig(max_new_tokens=12, do_sample=False, eos_token_id=-1, pad_token_id=0)

    def run() -> None:
        model.generate_batch(prompts, generation_config=config)

    return run


def _two_models() -> Run:
    small, large = answers(causal("qwen2", 512, 4), 80, tokens=10), answers(causal("llama", 1024, 10), 200, tokens=10)
    return _then(small, large, small, large)


def _retrieves() -> Run:
    """Texts embedded, pairs ranked, then an answer."""
    encoder = ready(tf.BertModel(tf.BertConfig(num_hidden_layers=6)))
    ranks = ready(tf.BertForSequenceClassification(tf.BertConfig(num_hidden_layers=6, num_labels=2)))
    embeds = over_batches(
        encoder, [{"input_ids": words(8, 64, 30000)}] * 6, lambda out: out.pooler_output.float().cpu()
    )
    ranked = over_batches(ranks, [{"input_ids": words(8, 128, 30000)}] * 8, lambda out: out.logits.argmax(-1).tolist())
    return _then(embeds, ranked, answers(causal("llama"), 700))


def _captions() -> Run:
    one = llava(tokens=8)
    return _then(*[one] * 6)


def _trained_then_asked() -> Run:
    model, batch = causal("llama", layers=4), words(2, 128)
    ask, learn = answers(model, 60), trains(model, lambda own: own(input_ids=batch, labels=batch).loss, 4)
    return _then(lambda: model.train() and None, learn, lambda: model.eval() and None, ask)


MIXTURES: dict[str, Callable[[], Run]] = {
    "shrinks": _shrinks,
    "turns": lambda: _turns(200, 30, 50, 10),
    "turns_short": lambda: _turns(40, 5, 5, 5, 5),
    "turns_eager": lambda: _turns(40, 12, 5, 17, attention="eager", kind="qwen2"),
    "turns_long": lambda: _turns(900, 400, 400, kind="mistral"),
    "own_chunks": _own_chunks,
    "drafted": _drafted,
    "guided": _guided,
    "padded": _padded,
    "lookup_many": lambda: answers(causal("llama"), 100, prompt_lookup_num_tokens=8, tokens=40),
    "lookup_sampled": lambda: answers(causal("qwen2"), 60, prompt_lookup_num_tokens=2, tokens=40, do_sample=True),
    "assisted_sampled": lambda: answers(
        causal("llama"), 100, assistant_model=causal("llama", layers=2), do_sample=True
    ),
    "assisted_early": lambda: answers(causal("llama"), 100, assistant_early_exit=3),
    "slides": lambda: answers(causal("mistral", sliding_window=64), 40, tokens=60),
    "slides_static": lambda: answers(
        causal("mistral", sliding_window=64), 40, tokens=60, cache_implementation="static", disable_compile=True
    ),
    "slides_some": lambda: answers(
        causal("gemma2", head_dim=64, sliding_window=48),
        30,
        tokens=50,
        cache_implementation="static",
        disable_compile=True,
    ),
    "large_batch": lambda: answers(causal("llama"), 100, batch=32),
    "large_batch_short": lambda: answers(causal("llama"), 5, batch=32),
    "large_beams": lambda: answers(causal("gpt2", n_embd=1024, n_layer=8, n_head=16), 50, batch=4, num_beams=5),
    "sampled_beams": lambda: answers(causal("olmo2"), 50, num_beams=3, do_sample=True),
    "typical": lambda: answers(causal("qwen3", head_dim=64), 100, do_sample=True, typical_p=0.9, min_p=0.02),
    "few_bits": _few_bits,
    "gpt2_short": lambda: answers(causal("gpt2", n_embd=768, n_layer=6, n_head=12), 5),
    "gpt2_short_turns": lambda: answers(causal("gpt2", n_embd=768, n_layer=6, n_head=12), 5, 5, 5, 9),
    "opt_short_eager": lambda: answers(
        causal("opt", ffn_dim=4096, word_embed_proj_dim=1024, attention="eager"), 6, 6, 12
    ),
    "llama_short_fp16": lambda: answers(causal("llama", 2048, 4, dtype=HALF), 3, 8, 16, tokens=10),
    "llama_short_eager_fp32": lambda: answers(causal("llama", 512, 4, attention="eager", dtype=torch.float32), 4, 4, 4),
    "mamba_short": lambda: answers(causal("mamba", layers=6, attention="eager"), 4, 9),
    "rwkv_short": lambda: answers(causal("rwkv", attention_hidden_size=1024, context_length=512, attention="eager"), 5),
    "deepseek_v2": lambda: answers(
        causal(
            "deepseek_v2",
            n_routed_experts=8,
            num_experts_per_tok=2,
            q_lora_rank=None,
            kv_lora_rank=128,
            qk_rope_head_dim=32,
            qk_nope_head_dim=64,
            v_head_dim=64,
            moe_intermediate_size=512,
            first_k_dense_replace=1,
            num_key_value_heads=16,
            n_group=1,
            topk_group=1,
            topk_method="greedy",
            head_dim=32,
        ),
        150,
    ),
    "minicpm3": lambda: answers(
        causal(
            "minicpm3",
            q_lora_rank=256,
            kv_lora_rank=128,
            qk_rope_head_dim=32,
            qk_nope_head_dim=64,
            v_head_dim=64,
            num_key_value_heads=16,
        ),
        90,
    ),
    "exaone4": lambda: answers(causal("exaone4", sliding_window=64, head_dim=64), 90),
    "ernie4_5": lambda: answers(causal("ernie4_5", head_dim=64), 90),
    "helium": lambda: answers(causal("helium", head_dim=64), 30),
    "falcon_h1": lambda: answers(causal("falcon_h1", mamba_d_ssm=1024, mamba_n_heads=16, mamba_d_head=64), 60),
    "qwen3_next": lambda: answers(
        causal(
            "qwen3_next",
            head_dim=64,
            num_experts=16,
            num_experts_per_tok=4,
            moe_intermediate_size=256,
            shared_expert_intermediate_size=256,
        ),
        100,
    ),
    "gpt_neo": lambda: answers(
        causal(
            "gpt_neo",
            layers=6,
            num_layers=6,
            num_heads=16,
            attention_types=[[["global", "local"], 3]],
            attention="eager",
        ),
        90,
    ),
    "codegen": lambda: answers(
        causal(
            "codegen",
            n_embd=1024,
            n_layer=6,
            n_head=16,
            rotary_dim=32,
            attention="eager",
        ),
        40,
    ),
    "biogpt": lambda: answers(causal("biogpt", intermediate_size=4096), 40, num_beams=2),
    "persimmon": lambda: answers(causal("persimmon"), 40),
    "xlstm": lambda: answers(causal("xlstm", num_heads=4, num_blocks=6, attention="eager"), 40),
    "switch": lambda: seq2seq(
        "switch_transformers",
        80,
        d_model=512,
        d_kv=64,
        d_ff=1024,
        num_layers=6,
        num_decoder_layers=6,
        num_heads=8,
        num_experts=8,
    ),
    "longt5": lambda: seq2seq("longt5", 200, d_model=512, d_kv=64, d_ff=1024, num_layers=6, num_heads=8),
    "umt5_beams": lambda: seq2seq(
        "umt5", 60, num_beams=4, d_model=512, d_kv=64, d_ff=1024, num_layers=6, num_heads=8, batch=2
    ),
    "m2m_100": lambda: seq2seq("m2m_100", 50, do_sample=True, **bart()),
    "led": lambda: seq2seq("led", 512, attention_window=[128] * 6, **bart()),
    "blenderbot": lambda: seq2seq("blenderbot", 30, **{**bart(), "encoder_layers": 2, "decoder_layers": 8}),
    "continuous": _continuous,
    "two_models": _two_models,
    "retrieves": _retrieves,
    "captions_of_six": _captions,
    "prompted_pictures": lambda: _then(
        answers(causal("llama"), 50), diffusion(convolves=False, text="qwen2", reads=True)
    ),
    "pictures_then_text": lambda: _then(diffusion(convolves=True), answers(causal("qwen2"), 200)),
    "trained_then_asked": _trained_then_asked,
    "compiled": _compiled,
    "compiled_sampled": lambda: _compiled(do_sample=True, batch=2),
    "compiled_forward": _compiled_forward,
}

"""For `gpu_repetition.py`: what else is done around answers, and further ways of answering and of none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers as tf
from gpu_families import _bart, _llava, _seq2seq, _tower
from gpu_no_answers import _batches, _Block, _diffusion, _noise, _trains
from gpu_truth import DEVICE, answers, causal, ready, words
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
    embeds = _batches(encoder, [{"input_ids": words(8, 64, 30000)}] * 6, lambda out: out.pooler_output.float().cpu())
    ranked = _batches(ranks, [{"input_ids": words(8, 128, 30000)}] * 8, lambda out: out.logits.argmax(-1).tolist())
    return _then(embeds, ranked, answers(causal("llama"), 700))


def _captions() -> Run:
    one = _llava(tokens=8)
    return _then(*[one] * 6)


def _trained_then_asked() -> Run:
    model, batch = causal("llama", layers=4), words(2, 128)
    ask, learn = answers(model, 60), _trains(model, lambda own: own(input_ids=batch, labels=batch).loss, 4)
    return _then(lambda: model.train() and None, learn, lambda: model.eval() and None, ask)


def _short_texts(kind: str) -> Run:
    """One long text, then short ones, a class of each read."""
    lengths = (300, *[12] * 20)
    if kind == "bert":
        model: Any = ready(tf.BertForSequenceClassification(tf.BertConfig(num_hidden_layers=6)))
        return _batches(
            model, [{"input_ids": words(1, n, 30000)} for n in lengths], lambda out: out.logits.argmax(-1).item()
        )
    model = causal("llama", layers=6)
    batches = [{"input_ids": words(1, n)} for n in lengths]
    return _batches(model, batches, lambda out: out.logits[:, -1].argmax(-1).item())


def _experts_score() -> Run:
    model = causal("mixtral", layers=6, num_local_experts=8)
    batches = [{"input_ids": words(1, 128)}] * 16
    return _batches(model, batches, lambda out: out.logits[:, -1].argmax(-1).item())


def _experts_score_in_turn() -> Run:
    model = causal("mixtral", layers=6, num_local_experts=8)
    model.set_experts_implementation("eager")
    batches = [{"input_ids": words(1, 128)} for _ in range(16)]
    return _batches(model, batches, lambda out: out.logits[:, -1].argmax(-1).item())


def _switch_encodes() -> Run:
    config = tf.SwitchTransformersConfig(d_model=512, d_kv=64, d_ff=1024, num_layers=6, num_heads=8, num_experts=8)
    model = ready(tf.SwitchTransformersEncoderModel(config))
    return _batches(model, [{"input_ids": words(4, 64)}] * 12, lambda out: out.last_hidden_state.mean(1).float().cpu())


def _rewards() -> Run:
    config = causal("qwen2", layers=6).config
    config.num_labels, config.pad_token_id = 1, 0
    model = ready(tf.AutoModelForSequenceClassification.from_config(config))
    return _batches(
        model, [{"input_ids": words(4, length)} for length in (300, *[200] * 16)], lambda out: out.logits.tolist()
    )


def _acts() -> Run:
    """Actions of a robot: a prefix cached once, then steps of a flow that attend to it, again and again."""
    model = causal("gemma", 1024, 8, head_dim=128)
    prefix, steps = words(1, 300), 10

    @torch.no_grad()
    def run() -> None:
        for _ in range(3):
            cache = model.model(prefix, use_cache=True).past_key_values
            action = _noise(1, 50, 1024)
            for _ in range(steps):
                out = model.model(inputs_embeds=action, past_key_values=cache, use_cache=True).last_hidden_state
                action = action + out / steps
                cache.crop(300)
            action.float().cpu()

    return run


def _blocks_of_masks() -> Run:
    """A text diffusion that caches what is done and fills in one block of eight after the other."""
    model = causal("llama", layers=6)
    prompt = words(1, 200)

    @torch.no_grad()
    def run() -> None:
        cache = model(prompt, use_cache=True).past_key_values
        for block in range(4):
            text = words(1, 8)
            for _ in range(6):
                logits = model(text, past_key_values=cache, use_cache=True).logits
                sure, best = logits.float().softmax(-1).max(-1)
                text = torch.where(sure >= sure.topk(2).values[:, -1:], best, text)
                logits.argmax(-1)
                cache.crop(200 + 8 * block)
            cache = model(text, past_key_values=cache, use_cache=True).past_key_values
            text.tolist()

    return run


def _video() -> Run:
    blocks = ready(nn.ModuleList([_Block(512, 512, convolves=False) for _ in range(8)]))
    text = ready(tf.T5EncoderModel(tf.T5Config(d_model=512, d_kv=64, d_ff=2048, num_layers=8, num_heads=8)))
    prompt = words(1, 64, 30000)

    @torch.no_grad()
    def run() -> None:
        seen, x = text(prompt).last_hidden_state, _noise(8, 512, 16, 16)
        for _ in range(16):
            y = x
            for block in blocks:
                y = block(y, _noise(8, 512), seen.expand(8, -1, -1))
            x = x + y / 16
            print(end="") if x.abs().max().item() > 1e9 else None

    return run


def _searches() -> Run:
    """Positions of a game judged one after the other, a move of each drawn."""
    layers: list[nn.Module] = [nn.Conv2d(17, 128, 3, padding=1)]
    for _ in range(8):
        layers += [nn.Conv2d(128, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU()]
    model = ready(nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 64, 500)))

    @torch.no_grad()
    def run() -> None:
        for _ in range(40):
            torch.multinomial(model(_noise(1, 17, 8, 8)).float().softmax(-1), 1).item()

    return run


def _forecasts() -> Run:
    config = tf.TimeSeriesTransformerConfig(
        prediction_length=20, context_length=40, lags_sequence=[1, 2, 3], num_time_features=1, d_model=256,
        encoder_layers=4, decoder_layers=4,
    )  # fmt: skip
    model = ready(tf.TimeSeriesTransformerForPrediction(config), torch.float32)
    past = {
        "past_values": torch.rand(4, 43, device=DEVICE), "past_time_features": torch.rand(4, 43, 1, device=DEVICE),
        "past_observed_mask": torch.ones(4, 43, device=DEVICE),
        "future_time_features": torch.rand(4, 20, 1, device=DEVICE),
    }  # fmt: skip

    @torch.no_grad()
    def run() -> None:
        model.generate(**past)

    return run


def _plain_descent() -> Run:
    """Training whose step is written out, and whose accuracy is read."""
    model, batch = ready(tf.BertForSequenceClassification(tf.BertConfig(num_hidden_layers=4))), words(8, 64, 30000)
    labels = torch.randint(0, 2, (8,), device=DEVICE)

    def run() -> None:
        for _ in range(8):
            out = model(batch, labels=labels)
            (out.logits.argmax(-1) == labels).float().mean().item()
            grads = torch.autograd.grad(
                out.loss, [one for one in model.parameters() if one.requires_grad], allow_unused=True
            )
            with torch.no_grad():
                for one, grad in zip(model.parameters(), grads, strict=True):
                    if grad is not None:
                        one.sub_(1e-4 * grad)

    return run


def _compiled_classifier() -> Run:
    model = torch.compile(ready(tf.ViTForImageClassification(tf.ViTConfig(**_tower(256, 4)))), mode="reduce-overhead")
    return _batches(model, [{"pixel_values": _noise(2, 3, 224, 224)}] * 20, lambda out: out.logits.argmax(-1).cpu())


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
    "switch": lambda: _seq2seq(
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
    "longt5": lambda: _seq2seq("longt5", 200, d_model=512, d_kv=64, d_ff=1024, num_layers=6, num_heads=8),
    "umt5_beams": lambda: _seq2seq(
        "umt5", 60, num_beams=4, d_model=512, d_kv=64, d_ff=1024, num_layers=6, num_heads=8, batch=2
    ),
    "m2m_100": lambda: _seq2seq("m2m_100", 50, do_sample=True, **_bart()),
    "led": lambda: _seq2seq("led", 512, attention_window=[128] * 6, **_bart()),
    "blenderbot": lambda: _seq2seq("blenderbot", 30, **{**_bart(), "encoder_layers": 2, "decoder_layers": 8}),
    "continuous": _continuous,
    "two_models": _two_models,
    "retrieves": _retrieves,
    "captions_of_six": _captions,
    "prompted_pictures": lambda: _then(
        answers(causal("llama"), 50), _diffusion(convolves=False, text="qwen2", reads=True)
    ),
    "pictures_then_text": lambda: _then(_diffusion(convolves=True), answers(causal("qwen2"), 200)),
    "trained_then_asked": _trained_then_asked,
    "no_short_texts": lambda: _short_texts("bert"),
    "no_short_scores": lambda: _short_texts("llama"),
    "no_experts_score": _experts_score,
    "no_experts_score_in_turn": _experts_score_in_turn,
    "no_switch_encodes": _switch_encodes,
    "no_rewards": _rewards,
    "no_acts": _acts,
    "no_blocks_of_masks": _blocks_of_masks,
    "no_video": _video,
    "no_searches": _searches,
    "no_forecasts": _forecasts,
    "no_plain_descent": _plain_descent,
    "compiled": _compiled,
    "compiled_sampled": lambda: _compiled(do_sample=True, batch=2),
    "compiled_forward": _compiled_forward,
    "no_compiled_classifier": _compiled_classifier,
}

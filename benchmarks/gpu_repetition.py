"""Record on a GPU, without stacks, what answers and what only repeats, and say in `truth/` ranges what is right.

    python benchmarks/gpu_repetition.py OUT_FOLDER [NAME ...]

Of answers each forward pass lies in `truth/prefill` or `truth/decode`, what a vision tower or another encoder does in
`truth/vision`; of what is none (encoders, classifiers, scoring, diffusion, training) nothing does.
`benchmarks/repetition_check.py FOLDER` reads them and says what share of the device time is told right.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from gpu_diffusion import DIFFUSION
from gpu_families import FAMILIES
from gpu_mixtures import MIXTURES
from gpu_no_answers import OTHERS
from gpu_scores import SCORES
from gpu_seeing import SEEING
from gpu_trainings import TRAININGS
from gpu_truth import DEVICE, VOCABULARY, Truth, record
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE_TOKEN = 31999


def main() -> None:
    ways = WAYS | FAMILIES | SEEING | MIXTURES | SCORES | DIFFUSION | TRAININGS | OTHERS
    record([(name, ways[name]) for name in sys.argv[2:] or ways], Path(sys.argv[1]))


def _causal(kind: str = "llama", layers: int = 16, attention: str = "sdpa", **more: Any) -> Any:
    shapes = {
        "vocab_size": VOCABULARY, "hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": layers,
        "num_attention_heads": 16, "num_key_value_heads": 4, "max_position_embeddings": 4096, "pad_token_id": 0,
        "n_embd": 1024, "n_layer": layers, "n_head": 16, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    if kind == "gpt2":
        shapes = {key: value for key, value in shapes.items() if key.startswith("n_") or key in ("vocab_size",)}
        shapes |= {"n_positions": 4096, "bos_token_id": 1, "eos_token_id": 2}
    else:
        shapes = {key: value for key, value in shapes.items() if not key.startswith("n_")}
    config = transformers.AutoConfig.for_model(kind, **{**shapes, **more})
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation=attention, dtype=torch.bfloat16)
    model = model.to(DEVICE).eval()
    model.generation_config.pad_token_id = 0
    return model


def _each_expert(kind: str, **more: Any) -> Any:
    """A model that calls one expert after another, as long as tokens are sent to it."""
    model = _causal(kind, **more)
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")
    return model


def _answers(model: Any, *lengths: int, batch: int = 1, tokens: int = 24, **options: Any) -> Callable[[], None]:
    truth = Truth(model)
    prompts = [torch.randint(3, VOCABULARY - 10, (batch, length), device=DEVICE) for length in lengths]

    @torch.no_grad()
    def run() -> None:
        for number, prompt in enumerate(prompts):
            truth.passes = 0
            new = tokens + 3 * number
            model.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=new, min_new_tokens=new,
                **{"do_sample": False, **options},
            )  # fmt: skip

    return run


def _own_loop(sample: bool) -> Callable[[], None]:
    """A loop of somebody's own, over a cache."""
    model = _causal()
    truth = Truth(model)
    prompt = torch.randint(3, VOCABULARY, (1, 200), device=DEVICE)

    @torch.no_grad()
    def run() -> None:
        truth.passes, tokens, cache = 0, prompt, None
        for _ in range(20):
            out = model(tokens, past_key_values=cache, use_cache=True)
            cache, logits = out.past_key_values, out.logits[:, -1]
            if sample:
                tokens = torch.multinomial(torch.softmax(logits.float(), -1), 1)
            else:
                tokens = logits.argmax(-1, keepdim=True)

    return run


def _pictures(calls: int) -> Callable[[], None]:
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(
            hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, image_size=336,
            patch_size=14, projection_dim=768,
        ),
        text_config=_causal().config, image_token_index=IMAGE_TOKEN, image_seq_length=576,
    )  # fmt: skip
    model = transformers.LlavaForConditionalGeneration(config).to(DEVICE, torch.bfloat16).eval()
    model.generation_config.pad_token_id = 0
    truth = Truth(model, model.model.vision_tower)
    text = torch.randint(3, 30000, (1, 40), device=DEVICE)
    prompt = torch.cat([torch.full((1, 576), IMAGE_TOKEN, device=DEVICE), text], dim=1)
    picture = torch.randn(1, 3, 336, 336, device=DEVICE, dtype=torch.bfloat16)

    @torch.no_grad()
    def run() -> None:
        for number in range(calls):
            seen = {"input_ids": prompt, "pixel_values": picture} if number % 2 == 0 else {"input_ids": text}
            truth.passes, new = 0, 12 + number
            model.generate(
                **seen, attention_mask=torch.ones_like(seen["input_ids"]), max_new_tokens=new, min_new_tokens=new,
                do_sample=False,
            )  # fmt: skip

    return run


def _translation() -> Callable[[], None]:
    config = transformers.T5Config(
        vocab_size=VOCABULARY, d_model=1024, d_kv=64, d_ff=4096, num_layers=12, num_decoder_layers=12, num_heads=16,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    model = transformers.T5ForConditionalGeneration(config).to(DEVICE, torch.bfloat16).eval()
    return _answers(model, 200)


def _assisted() -> Callable[[], None]:
    return _answers(_causal(), 100, assistant_model=_causal(layers=2))


def _scores(lengths: tuple[int, ...]) -> Callable[[], None]:
    """Prompts alone, whose likeliest next token is read."""
    model = _causal()
    batches = [torch.randint(3, VOCABULARY, (1, length), device=DEVICE) for length in lengths]

    @torch.no_grad()
    def run() -> None:
        for batch in batches:
            model(batch).logits[:, -1].argmax(-1).item()

    return run


class _Block(nn.Module):
    def __init__(self, width: int, *, convolves: bool) -> None:
        super().__init__()
        self.before = nn.Conv2d(width, width, 3, padding=1) if convolves else nn.Identity()
        self.norm = nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size, width = x.shape[-1], x.shape[1]
        x = self.before(x).flatten(2).transpose(1, 2)
        q, k, v = (part.unflatten(-1, (-1, 64)).transpose(1, 2) for part in self.qkv(self.norm(x)).chunk(3, -1))
        x = x + self.out(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        x = x + self.feed(x)
        return x.transpose(1, 2).unflatten(-1, (size, size)).reshape(-1, width, size, size)


def _diffusion(*, convolves: bool, reads: bool, layers: int = 12, text_layers: int = 12) -> Callable[[], None]:
    """A text encoder, then equal steps."""
    blocks = nn.Sequential(*[_Block(512, convolves=convolves) for _ in range(layers)]).to(DEVICE, torch.bfloat16).eval()
    text = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(hidden_size=768, num_hidden_layers=text_layers, intermediate_size=3072)
    )
    text = text.to(DEVICE, torch.bfloat16).eval()
    words = torch.randint(3, 40000, (2, 77), device=DEVICE)

    @torch.no_grad()
    def run() -> None:
        condition = text(words).last_hidden_state.mean()
        x = torch.randn(2, 512, 32, 32, device=DEVICE, dtype=torch.bfloat16)
        for step in range(20):
            noise = blocks(x + condition)
            x = x - noise * (0.02 * step)
            if reads and not bool(torch.isfinite(x).all()):
                break

    return run


def _classifier(tower: str) -> Callable[[], None]:
    if tower == "vit":
        config = transformers.ViTConfig(num_labels=1000)
        model: Any = transformers.ViTForImageClassification(config)
    else:
        config = transformers.BertConfig(num_labels=10, num_hidden_layers=12)
        model = transformers.BertForSequenceClassification(config)
    model = model.to(DEVICE, torch.bfloat16).eval()
    pictures = torch.randn(8, 3, 224, 224, device=DEVICE, dtype=torch.bfloat16)
    words = torch.randint(3, 20000, (8, 128), device=DEVICE)

    @torch.no_grad()
    def run() -> None:
        for _ in range(20):
            logits = model(pictures if tower == "vit" else words).logits
            logits.argmax(-1).cpu()

    return run


def _training() -> Callable[[], None]:
    model = _causal(layers=8).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    words = torch.randint(3, VOCABULARY, (2, 256), device=DEVICE)

    def run() -> None:
        for _ in range(6):
            out = model(words, labels=words)
            (out.logits.argmax(-1) == words).float().mean().item()
            out.loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return run


WAYS: dict[str, Callable[[], Callable[[], None]]] = {
    "greedy": lambda: _answers(_causal(), 300),
    "short_prompt": lambda: _answers(_causal(), 6),
    "long_prompt": lambda: _answers(_causal(), 3000),
    "sampling": lambda: _answers(_causal(), 300, batch=4, do_sample=True, top_p=0.9, temperature=0.7),
    "beams": lambda: _answers(_causal(), 300, num_beams=4),
    "three_calls": lambda: _answers(_causal(), 300, 40, 900),
    "equal_calls": lambda: _answers(_causal(), 300, 300, 300, 300, tokens=8),
    "two_tokens": lambda: _answers(_causal(), 300, 200, tokens=2),
    "eager": lambda: _answers(_causal(attention="eager"), 300),
    "static": lambda: _answers(_causal(), 300, cache_implementation="static", disable_compile=True),
    "deep": lambda: _answers(_causal(layers=64), 300, tokens=12),
    "gpt2": lambda: _answers(_causal("gpt2"), 300),
    "qwen2": lambda: _answers(_causal("qwen2", tie_word_embeddings=True), 300),
    "gemma3": lambda: _answers(_causal("gemma3_text", head_dim=64, sliding_window=128), 300),
    "phi3": lambda: _answers(_causal("phi3"), 300),
    "mixtral": lambda: _answers(_causal("mixtral", layers=8, num_local_experts=8), 100),
    "experts": lambda: _answers(_each_expert("mixtral", layers=8, num_local_experts=8), 100),
    "many_experts": lambda: _answers(
        _each_expert(
            "qwen3_moe", layers=8, num_experts=32, num_experts_per_tok=4, moe_intermediate_size=512, head_dim=64
        ),
        100,
    ),
    "experts_of_a_batch": lambda: _answers(
        _each_expert("mixtral", layers=8, num_local_experts=8), 100, batch=4, do_sample=True
    ),
    "mamba": lambda: _answers(_causal("mamba", layers=8, attention="eager"), 100),
    "lookup": lambda: _answers(_causal(), 300, prompt_lookup_num_tokens=3),
    "assisted": _assisted,
    "translation": _translation,
    "picture": lambda: _pictures(1),
    "pictures": lambda: _pictures(4),
    "own_loop": lambda: _own_loop(sample=False),
    "own_loop_samples": lambda: _own_loop(sample=True),
    "scores": lambda: _scores((300, 300, 300, 300, 300, 300)),
    "scores_of_many": lambda: _scores((900, 300, 300, 300, 300, 300, 40, 300)),
    "unet": lambda: _diffusion(convolves=True, reads=False),
    "dit": lambda: _diffusion(convolves=False, reads=True),
    "dit_other_text": lambda: _diffusion(convolves=False, reads=True, text_layers=6),
    "vit": lambda: _classifier("vit"),
    "bert": lambda: _classifier("bert"),
    "training": _training,
}

if __name__ == "__main__":
    main()

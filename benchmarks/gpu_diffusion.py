"""What only repeats, for `gpu_repetition.py`: diffusion of pictures and video, and tokens of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers as tf
from gpu_truth import DEVICE, causal, noise, ready, words
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[], None]


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
    blocks = ready(nn.ModuleList([Block(512, 512, convolves=False) for _ in range(8)]))
    text = ready(tf.T5EncoderModel(tf.T5Config(d_model=512, d_kv=64, d_ff=2048, num_layers=8, num_heads=8)))
    prompt = words(1, 64, 30000)

    @torch.no_grad()
    def run() -> None:
        seen, x = text(prompt).last_hidden_state, noise(8, 512, 16, 16)
        for _ in range(16):
            y = x
            for block in blocks:
                y = block(y, noise(8, 512), seen.expand(8, -1, -1))
            x = x + y / 16
            print(end="") if x.abs().max().item() > 1e9 else None

    return run


class Block(nn.Module):
    """A block of a diffusion transformer: attention over itself, over a text, and a network."""

    def __init__(self, width: int, text: int, *, convolves: bool) -> None:
        super().__init__()
        self.convolves = convolves
        self.conv = nn.Sequential(nn.GroupNorm(32, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(3)])
        self.qkv, self.out, self.shift = (
            nn.Linear(width, 3 * width),
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
        )
        self.q, self.kv, self.out_2 = nn.Linear(width, width), nn.Linear(text, 2 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor, time: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        if self.convolves:
            x = x + self.conv(x)
        size, width = x.shape[-1], x.shape[1]
        x = x.flatten(2).transpose(1, 2)
        scale, shift = self.shift(functional.silu(time))[:, None].chunk(2, -1)
        q, k, v = (
            part.unflatten(-1, (-1, 64)).transpose(1, 2)
            for part in self.qkv(self.norms[0](x) * scale + shift).chunk(3, -1)
        )
        x = x + self.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        q, (k, v) = self.q(self.norms[1](x)), self.kv(text).chunk(2, -1)
        q, k, v = (part.unflatten(-1, (-1, 64)).transpose(1, 2) for part in (q, k, v))
        x = x + self.out_2(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return (
            (x + self.feed(self.norms[2](x))).transpose(1, 2).unflatten(-1, (size, size)).reshape(-1, width, size, size)
        )


def diffusion(
    *, convolves: bool, text: str = "clip", guided: str = "", reads: bool = False, vae: bool = True, steps: int = 20,
    scheduler: str = "ddim", layers: int = 6, size: int = 32, batch: int = 1, preview: bool = False,
) -> Run:  # fmt: skip
    """A text's encoder, equal steps of a scheduler, and the decoder of the picture."""
    width = 512
    blocks = ready(nn.ModuleList([Block(width, 512, convolves=convolves) for _ in range(layers)]))
    if text == "clip":
        config: Any = tf.CLIPTextConfig(
            hidden_size=512, num_hidden_layers=layers, num_attention_heads=8, vocab_size=32000
        )
        encoder = ready(tf.CLIPTextModel(config))
    elif text == "t5":
        config = tf.T5Config(d_model=512, d_kv=64, d_ff=2048, num_layers=layers, num_heads=8, vocab_size=32000)
        encoder = ready(tf.T5EncoderModel(config))
    else:
        encoder = causal("qwen2", 512, layers).model
    up = ready(nn.Sequential(
        nn.Conv2d(width, 256, 3, padding=1), nn.Upsample(scale_factor=2), nn.SiLU(), nn.Conv2d(256, 128, 3, padding=1),
        nn.Upsample(scale_factor=2), nn.SiLU(), nn.Conv2d(128, 3, 3, padding=1),
    ))  # fmt: skip
    prompt, times = words(batch, 77, 30000), torch.linspace(1, 0, steps + 1, device=DEVICE)
    wide = torch.arange(width, device=DEVICE)

    def predict(x: torch.Tensor, time: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        turned = torch.sin(time * wide).to(x.dtype)[None].expand(len(x), -1)
        for block in blocks:
            x = block(x, turned, seen)
        return x

    @torch.no_grad()
    def run() -> None:
        seen = encoder(prompt).last_hidden_state
        none = encoder(torch.zeros_like(prompt)).last_hidden_state if guided else seen
        x, before = noise(batch, width, size, size), None
        for step in range(steps):
            if guided == "batch":
                free, told = predict(torch.cat([x, x]), times[step], torch.cat([none, seen])).chunk(2)
                guess = free + 7.5 * (told - free)
            elif guided == "twice":
                free, told = predict(x, times[step], none), predict(x, times[step], seen)
                guess = free + 7.5 * (told - free)
            else:
                guess = predict(x, times[step], seen)
            if scheduler == "ddim":
                x = x - guess * (times[step] - times[step + 1]).sqrt() * 0.01
            elif scheduler == "flow":
                x = x + (times[step + 1] - times[step]) * guess
            else:
                x = x - 0.01 * (guess if before is None else 1.5 * guess - 0.5 * before) + 0.001 * torch.randn_like(x)
                before = guess
            if reads and torch.isnan(x).any().item():
                break
            if preview and step % 4 == 0:
                up(x).float().cpu()
        if vae:
            (up(x).float().clamp(-1, 1) * 127).to(torch.uint8).cpu()

    return run


def _picture_tokens() -> Run:
    """Masked tokens of a picture chosen again and again, as MaskGIT does."""
    blocks = ready(nn.TransformerEncoder(nn.TransformerEncoderLayer(512, 8, 2048, batch_first=True), 8))
    table, head = ready(nn.Embedding(1024, 512)), ready(nn.Linear(512, 1024))

    @torch.no_grad()
    def run() -> None:
        tokens = torch.zeros(1, 256, dtype=torch.long, device=DEVICE)
        for step in range(16):
            chances = head(blocks(table(tokens))).float().softmax(-1)
            picked = torch.multinomial(chances[0], 1).view(1, -1)
            kept = torch.gather(chances, 2, picked[..., None])[..., 0].topk(16 * (step + 1)).indices
            tokens = tokens.scatter(1, kept, picked.gather(1, kept))
        tokens.cpu()

    return run


DIFFUSION: dict[str, Callable[[], Run]] = {
    "no_blocks_of_masks": _blocks_of_masks,
    "no_video": _video,
    "no_picture_tokens": _picture_tokens,
    "no_unet": lambda: diffusion(convolves=True, guided="batch"),
    "no_unet_twice": lambda: diffusion(convolves=True, guided="twice", scheduler="sde"),
    "no_unet_reads": lambda: diffusion(convolves=True, reads=True, preview=True),
    "no_dit": lambda: diffusion(convolves=False, text="t5", scheduler="flow", guided="batch"),
    "no_dit_reads": lambda: diffusion(convolves=False, text="t5", scheduler="flow", reads=True),
    "no_dit_language": lambda: diffusion(convolves=False, text="qwen2", scheduler="flow", guided="twice"),
    "no_dit_few": lambda: diffusion(convolves=False, text="t5", scheduler="flow", steps=4, size=64),
    "no_dit_tiny": lambda: diffusion(convolves=False, text="qwen2", scheduler="flow", size=4, vae=False, reads=True),
}

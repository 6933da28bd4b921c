"""What only repeats, for `gpu_repetition.py`: encoders, detectors, games and others that decode nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers as tf
from gpu_diffusion import Block
from gpu_seeing import tower
from gpu_truth import DEVICE, causal, noise, over_batches, ready, words
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[], None]

HALF = torch.float16


def _acts() -> Run:
    """Actions of a robot: a prefix cached once, then steps of a flow that attend to it, again and again."""
    model = causal("gemma", 1024, 8, head_dim=128)
    prefix, steps = words(1, 300), 10

    @torch.no_grad()
    def run() -> None:
        for _ in range(3):
            cache = model.model(prefix, use_cache=True).past_key_values
            action = noise(1, 50, 1024)
            for _ in range(steps):
                out = model.model(inputs_embeds=action, past_key_values=cache, use_cache=True).last_hidden_state
                action = action + out / steps
                cache.crop(300)
            action.float().cpu()

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
            torch.multinomial(model(noise(1, 17, 8, 8)).float().softmax(-1), 1).item()

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


def _compiled_classifier() -> Run:
    model = torch.compile(ready(tf.ViTForImageClassification(tf.ViTConfig(**tower(256, 4)))), mode="reduce-overhead")
    return over_batches(model, [{"pixel_values": noise(2, 3, 224, 224)}] * 20, lambda out: out.logits.argmax(-1).cpu())


def _clip() -> Run:
    text = {
        "vocab_size": 32000,
        "hidden_size": 512,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "eos_token_id": 2,
    }
    model = ready(tf.CLIPModel(tf.CLIPConfig(text_config=text, vision_config=tower(patch=16))))
    batches = [{"input_ids": words(4, 60), "pixel_values": noise(4, 3, 224, 224)}] * 20
    return over_batches(model, batches, lambda out: out.logits_per_image.softmax(-1).argmax(-1).cpu())


def _siglip() -> Run:
    model = ready(tf.SiglipVisionModel(tf.SiglipVisionConfig(**tower(patch=16))), HALF)
    batches = [{"pixel_values": noise(size, 3, 224, 224, dtype=HALF)} for size in [16] * 15 + [3]]
    return over_batches(model, batches, lambda out: functional.normalize(out.pooler_output.float(), dim=-1).cpu())


def _detr() -> Run:
    config = tf.DetrConfig(
        use_pretrained_backbone=False, use_timm_backbone=False, backbone=None, backbone_config=tf.ResNetConfig(),
        encoder_layers=4, decoder_layers=4, num_labels=91,
    )  # fmt: skip
    model = ready(tf.DetrForObjectDetection(config), torch.float32)
    return over_batches(
        model, [{"pixel_values": noise(2, 3, 400, 400, dtype=torch.float32)}] * 12,
        lambda out: out.logits.softmax(-1).argmax(-1).cpu(),
    )  # fmt: skip


def _sam() -> Run:
    """A picture encoded once, then many points asked about."""
    config = tf.SamConfig(
        vision_config={**tower(256, 4, 512, 16), "global_attn_indexes": [1, 3], "output_channels": 256}
    )
    config.prompt_encoder_config.image_size, config.prompt_encoder_config.image_embedding_size = 512, 32
    model = ready(tf.SamModel(config), torch.float32)
    picture = noise(1, 3, 512, 512, dtype=torch.float32)

    @torch.no_grad()
    def run() -> None:
        seen = model.get_image_embeddings(picture)
        for _ in range(20):
            out = model(image_embeddings=seen, input_points=torch.rand(1, 1, 1, 2, device=DEVICE) * 512)
            out.iou_scores.argmax(-1).cpu()

    return run


def _segments() -> Run:
    model = ready(tf.SegformerForSemanticSegmentation(tf.SegformerConfig(num_labels=20)), HALF)
    batches = [{"pixel_values": noise(2, 3, 512, 512, dtype=HALF)}] * 12
    return over_batches(model, batches, lambda out: out.logits.argmax(1).cpu())


def _speech(lengths: list[int]) -> Run:
    """Chunks of speech, the likeliest letter of each frame read back."""
    config = tf.Wav2Vec2Config(hidden_size=512, num_hidden_layers=6, num_attention_heads=8, intermediate_size=2048)
    model = ready(tf.Wav2Vec2ForCTC(config), HALF)
    batches = [{"input_values": noise(1, length, dtype=HALF)} for length in lengths]
    return over_batches(model, batches, lambda out: out.logits.argmax(-1).cpu())


def _plays() -> Run:
    """An agent that acts in an environment, an action chosen and read each time."""
    policy = ready(nn.Sequential(nn.Linear(128, 512), nn.Tanh(), nn.Linear(512, 512), nn.Tanh(), nn.Linear(512, 6)))

    @torch.no_grad()
    def run() -> None:
        seen = torch.randn(1, 128)
        for _ in range(60):
            action = torch.multinomial(policy(seen.to(DEVICE, torch.bfloat16)).float().softmax(-1), 1).item()
            seen = seen + 0.01 * action

    return run


def _decides() -> Run:
    """A transformer over the states of a game so far, whose likeliest action is played."""
    model = ready(tf.GPT2Model(tf.GPT2Config(n_layer=4, n_embd=512, n_head=8)))
    head = ready(nn.Linear(512, 18))

    @torch.no_grad()
    def run() -> None:
        states = noise(1, 60, 512)
        for _ in range(24):
            action = head(model(inputs_embeds=states).last_hidden_state[:, -1]).argmax(-1).item()
            states = torch.cat([states[:, 1:], states[:, -1:] + 0.1 * action], 1)

    return run


def _recommends() -> Run:
    tables = ready(nn.ModuleList([nn.EmbeddingBag(10000, 64, mode="sum") for _ in range(12)]))
    top = ready(nn.Sequential(nn.Linear(12 * 64, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 1000)))

    @torch.no_grad()
    def run() -> None:
        for _ in range(30):
            seen = torch.cat([table(words(64, 10, 10000)) for table in tables], 1)
            top(seen).topk(10).indices.cpu()

    return run


def _sequential_recommends() -> Run:
    """The next thing a person may like, from what they liked: prompts alone."""
    model = ready(tf.GPT2LMHeadModel(tf.GPT2Config(n_layer=4, n_embd=512, n_head=8, vocab_size=32000)))
    batches = [{"input_ids": words(16, 50), "use_cache": False}] * 16
    return over_batches(model, batches, lambda out: out.logits[:, -1].topk(20).indices.cpu())


def _recurrent() -> Run:
    """Frames of speech through a recurrent network that keeps its state, the likeliest letter of each read."""
    cells, head = ready(nn.LSTM(256, 512, 4, batch_first=True), HALF), ready(nn.Linear(512, 32), HALF)

    @torch.no_grad()
    def run() -> None:
        state = None
        for _ in range(40):
            out, state = cells(noise(1, 8, 256, dtype=HALF), state)
            head(out).argmax(-1).cpu()

    return run


def _replays(what: str) -> Run:
    """Batches of a classifier, or steps of a diffusion, as replays of a graph."""
    if what == "vit":
        model: Any = ready(tf.ViTForImageClassification(tf.ViTConfig(**tower(patch=16), num_labels=1000)))
        held: Any = noise(4, 3, 224, 224)
        forward = lambda: model(held).logits.argmax(-1)  # noqa: E731
    elif what == "dit":
        blocks = ready(nn.ModuleList([Block(512, 512, convolves=False) for _ in range(6)]))
        held, text, time = noise(1, 512, 32, 32), noise(1, 77, 512), noise(1, 512)

        def forward() -> torch.Tensor:
            x = held
            for block in blocks:
                x = block(x, time, text)
            return held.sub_(0.01 * x)

    else:
        model = causal("llama", layers=6)
        held = words(1, 300)
        forward = lambda: model(held, use_cache=False).logits[:, -1].argmax(-1)  # noqa: E731
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad():
        with torch.cuda.stream(torch.cuda.Stream()):
            forward()
            torch.cuda.synchronize()
        with torch.cuda.graph(graph):
            out = forward()

    def run() -> None:
        if what == "dit":
            text.copy_(noise(1, 77, 512))
        for _ in range(24):
            if what == "dit":
                time.copy_(noise(1, 512))
            else:
                held.copy_(torch.randn_like(held) if held.is_floating_point() else words(1, 300))
            graph.replay()
            if what != "dit":
                out.cpu()

    return run


def _simulates() -> Run:
    grid, weight = noise(1, 1, 512, 512), noise(1, 1, 5, 5) * 0.01

    @torch.no_grad()
    def run() -> None:
        field = grid
        for _ in range(60):
            for _ in range(8):
                field = field + functional.conv2d(field, weight, padding=2).tanh() * 0.1
            field.abs().max().item()

    return run


OTHERS: dict[str, Callable[[], Run]] = {
    "no_acts": _acts,
    "no_searches": _searches,
    "no_forecasts": _forecasts,
    "no_compiled_classifier": _compiled_classifier,
    "no_clip": _clip,
    "no_siglip": _siglip,
    "no_detr": _detr,
    "no_sam": _sam,
    "no_segments": _segments,
    "no_speech_equal": lambda: _speech([16000] * 20),
    "no_speech_growing": lambda: _speech([48000, *range(16000, 32000, 1000)]),
    "no_plays": _plays,
    "no_decides": _decides,
    "no_recommends": _recommends,
    "no_sequential_recommends": _sequential_recommends,
    "no_recurrent": _recurrent,
    "no_replays_vit": lambda: _replays("vit"),
    "no_replays_dit": lambda: _replays("dit"),
    "no_replays_prompts": lambda: _replays("prompts"),
    "no_simulates": _simulates,
}

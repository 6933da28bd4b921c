"""What only repeats, for `gpu_repetition.py`: encoders, scoring, diffusion, training and others that decode nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers as tf
from gpu_truth import DEVICE, causal, ready, words
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[], None]

HALF = torch.float16


def _tower(hidden: int = 512, layers: int = 6, size: int = 224, patch: int = 16) -> dict[str, Any]:
    return {
        "hidden_size": hidden, "intermediate_size": 4 * hidden, "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64, "image_size": size, "patch_size": patch,
    }  # fmt: skip


def _noise(*shape: int, dtype: Any = torch.bfloat16) -> torch.Tensor:
    return torch.randn(*shape, device=DEVICE, dtype=dtype)


def _batches(model: Any, batches: list[dict[str, Any]], after: Callable[[Any], object]) -> Run:
    """A forward pass for each batch, and what is done with each."""

    @torch.no_grad()
    def run() -> None:
        for batch in batches:
            after(model(**batch))

    return run


def _clip() -> Run:
    text = {
        "vocab_size": 32000,
        "hidden_size": 512,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "eos_token_id": 2,
    }
    model = ready(tf.CLIPModel(tf.CLIPConfig(text_config=text, vision_config=_tower())))
    batches = [{"input_ids": words(4, 60), "pixel_values": _noise(4, 3, 224, 224)}] * 20
    return _batches(model, batches, lambda out: out.logits_per_image.softmax(-1).argmax(-1).cpu())


def _siglip() -> Run:
    model = ready(tf.SiglipVisionModel(tf.SiglipVisionConfig(**_tower())), HALF)
    batches = [{"pixel_values": _noise(size, 3, 224, 224, dtype=HALF)} for size in [16] * 15 + [3]]
    return _batches(model, batches, lambda out: functional.normalize(out.pooler_output.float(), dim=-1).cpu())


def _detr() -> Run:
    config = tf.DetrConfig(
        use_pretrained_backbone=False, use_timm_backbone=False, backbone=None, backbone_config=tf.ResNetConfig(),
        encoder_layers=4, decoder_layers=4, num_labels=91,
    )  # fmt: skip
    model = ready(tf.DetrForObjectDetection(config), torch.float32)
    return _batches(
        model, [{"pixel_values": _noise(2, 3, 400, 400, dtype=torch.float32)}] * 12,
        lambda out: out.logits.softmax(-1).argmax(-1).cpu(),
    )  # fmt: skip


def _sam() -> Run:
    """A picture encoded once, then many points asked about."""
    config = tf.SamConfig(vision_config={**_tower(256, 4, 512), "global_attn_indexes": [1, 3], "output_channels": 256})
    config.prompt_encoder_config.image_size, config.prompt_encoder_config.image_embedding_size = 512, 32
    model = ready(tf.SamModel(config), torch.float32)
    picture = _noise(1, 3, 512, 512, dtype=torch.float32)

    @torch.no_grad()
    def run() -> None:
        seen = model.get_image_embeddings(picture)
        for _ in range(20):
            out = model(image_embeddings=seen, input_points=torch.rand(1, 1, 1, 2, device=DEVICE) * 512)
            out.iou_scores.argmax(-1).cpu()

    return run


def _segments() -> Run:
    model = ready(tf.SegformerForSemanticSegmentation(tf.SegformerConfig(num_labels=20)), HALF)
    batches = [{"pixel_values": _noise(2, 3, 512, 512, dtype=HALF)}] * 12
    return _batches(model, batches, lambda out: out.logits.argmax(1).cpu())


def _speech(lengths: list[int]) -> Run:
    """Chunks of speech, the likeliest letter of each frame read back."""
    config = tf.Wav2Vec2Config(hidden_size=512, num_hidden_layers=6, num_attention_heads=8, intermediate_size=2048)
    model = ready(tf.Wav2Vec2ForCTC(config), HALF)
    batches = [{"input_values": _noise(1, length, dtype=HALF)} for length in lengths]
    return _batches(model, batches, lambda out: out.logits.argmax(-1).cpu())


def _embeds(kind: str, batch: int, lengths: list[int]) -> Run:
    config = tf.AutoConfig.for_model(kind, num_hidden_layers=6, vocab_size=32000)
    model = ready(tf.AutoModel.from_config(config), HALF)
    batches = [{"input_ids": words(batch, length)} for length in lengths]
    return _batches(model, batches, lambda out: functional.normalize(out.last_hidden_state.mean(1), dim=-1).cpu())


def _reranks(one: bool) -> Run:
    """A language model that says yes or no of pairs."""
    model = causal("qwen2", layers=6)
    batches = [{"input_ids": words(1 if one else 8, length)} for length in (900, *[128] * 20)]
    return _batches(model, batches, lambda out: out.logits[:, -1, :2].argmax(-1).tolist())


def _answer_spans() -> Run:
    model = ready(tf.BertForQuestionAnswering(tf.BertConfig(num_hidden_layers=6)))
    batches = [{"input_ids": words(1, 384, 30000)}] * 24
    return _batches(model, batches, lambda out: (out.start_logits.argmax(-1).item(), out.end_logits.argmax(-1).item()))


def _perplexity(*, rest: bool = True, stride: int = 256) -> Run:
    """Windows over a long text; the last is shorter."""
    model = causal("llama", layers=8)
    text = words(1, 4096 + (77 if rest else 0))
    windows = [{"input_ids": text[:, at : at + 512], "labels": text[:, at : at + 512]} for at in range(0, 4096, stride)]
    return _batches(model, windows, lambda out: out.loss.item())


def _choices() -> Run:
    """Four endings of each question scored behind the cached question, as benchmarks of knowledge do."""
    model = causal("llama", layers=8)
    question, endings = words(1, 300), [words(1, length) for length in (6, 5, 8, 6)]

    @torch.no_grad()
    def run() -> None:
        for _ in range(6):
            for ending in endings:
                out = model(torch.cat([question, ending], 1)).logits[:, 300:-1].log_softmax(-1)
                out.gather(-1, ending[:, 1:, None]).sum().item()

    return run


def _masked_diffusion(*, reads: bool) -> Run:
    """A language model that fills masks in over the whole text again and again."""
    model = ready(tf.BertForMaskedLM(tf.BertConfig(num_hidden_layers=8, vocab_size=32000)))
    start = words(1, 256)

    @torch.no_grad()
    def run() -> None:
        text = start.clone()
        for step in range(24):
            logits = model(text).logits
            sure, best = logits.softmax(-1).max(-1)
            at = sure.topk(8 + step % 2).indices
            text.scatter_(1, at, best.gather(1, at))
            logits.argmax(-1)
            if reads and (text == -1).any().item():
                break

    return run


class _Block(nn.Module):
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


def _diffusion(
    *, convolves: bool, text: str = "clip", guided: str = "", reads: bool = False, vae: bool = True, steps: int = 20,
    scheduler: str = "ddim", layers: int = 6, size: int = 32, batch: int = 1, preview: bool = False,
) -> Run:  # fmt: skip
    """A text's encoder, equal steps of a scheduler, and the decoder of the picture."""
    width = 512
    blocks = ready(nn.ModuleList([_Block(width, 512, convolves=convolves) for _ in range(layers)]))
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
        x, before = _noise(batch, width, size, size), None
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


def _trains(model: Any, loss_of: Callable[[Any], torch.Tensor], steps: int = 6, each: int = 1, **more: Any) -> Run:
    """Steps of training; with several passes of a batch for each step of the optimizer."""
    model.train()
    kept = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(kept, lr=1e-5, **more)

    def run() -> None:
        for _ in range(steps):
            for _ in range(each):
                loss = loss_of(model)
                loss.backward()
            nn.utils.clip_grad_norm_(kept, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            loss.item()

    return run


def _bert_training() -> Run:
    model = ready(tf.BertForMaskedLM(tf.BertConfig(num_hidden_layers=4)))
    batch = words(4, 128, 30000)
    return _trains(model, lambda own: own(input_ids=batch, labels=batch).loss)


def _gpt2_training() -> Run:
    config = tf.GPT2Config(n_layer=4, n_embd=512, n_head=8, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    model, batch = ready(tf.GPT2LMHeadModel(config)), words(4, 256)
    return _trains(model, lambda own: own(input_ids=batch, labels=batch).loss, each=4, fused=True)


def _lora() -> Run:
    model = causal("llama", layers=4)
    model.requires_grad_(False)
    for layer in model.model.layers:
        for name in ("q_proj", "v_proj"):
            base = getattr(layer.self_attn, name)
            down, up = (
                ready(nn.Linear(base.in_features, 8, bias=False)),
                ready(nn.Linear(8, base.out_features, bias=False)),
            )
            base.register_forward_hook(lambda _m, seen, out, down=down, up=up: out + up(down(seen[0])))
            layer.self_attn.add_module(f"{name}_lora", nn.Sequential(down, up))
            layer.self_attn.get_submodule(f"{name}_lora").requires_grad_(True)
    batch = words(2, 256)
    return _trains(model, lambda own: own(input_ids=batch, labels=batch).loss)


def _resnet_training() -> Run:
    model = ready(tf.ResNetForImageClassification(tf.ResNetConfig(depths=[1, 1, 1, 1], num_labels=10)), torch.float32)
    pictures, labels = _noise(8, 3, 128, 128, dtype=torch.float32), torch.randint(0, 10, (8,), device=DEVICE)
    return _trains(model, lambda own: functional.cross_entropy(own(pictures).logits, labels))


def _preferences() -> Run:
    """Pairs of answers under two models, as direct preference optimization does."""
    model, other = causal("llama", layers=4), causal("llama", layers=4)
    good, bad = words(2, 128), words(2, 128)

    def loss(own: Any) -> torch.Tensor:
        with torch.no_grad():
            base = other(good).logits.log_softmax(-1).mean() - other(bad).logits.log_softmax(-1).mean()
        mine = own(good).logits.log_softmax(-1).mean() - own(bad).logits.log_softmax(-1).mean()
        return -functional.logsigmoid(mine - base)

    return _trains(model, loss, 4)


def _gan() -> Run:
    makes = ready(nn.Sequential(nn.Linear(64, 4096), nn.ReLU(), nn.Linear(4096, 3072), nn.Tanh()))
    judges = ready(nn.Sequential(nn.Linear(3072, 1024), nn.LeakyReLU(), nn.Linear(1024, 1)))
    optimizers = [torch.optim.RMSprop(one.parameters(), lr=1e-4) for one in (makes, judges)]
    real = _noise(32, 3072)

    def run() -> None:
        for _ in range(20):
            fake = makes(_noise(32, 64))
            (judges(fake.detach()).mean() - judges(real).mean()).backward()
            optimizers[1].step()
            (-judges(fake).mean()).backward()
            optimizers[0].step()
            for one in optimizers:
                one.zero_grad()

    return run


def _gan_makes() -> Run:
    layers: list[nn.Module] = []
    for _ in range(6):
        layers += [nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()]
    model = ready(nn.Sequential(*layers, nn.Conv2d(64, 3, 3, padding=1), nn.Tanh()))

    @torch.no_grad()
    def run() -> None:
        for _ in range(30):
            model(_noise(4, 64, 64, 64)).float().cpu()

    return run


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
        states = _noise(1, 60, 512)
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
    return _batches(model, batches, lambda out: out.logits[:, -1].topk(20).indices.cpu())


def _recurrent() -> Run:
    """Frames of speech through a recurrent network that keeps its state, the likeliest letter of each read."""
    cells, head = ready(nn.LSTM(256, 512, 4, batch_first=True), HALF), ready(nn.Linear(512, 32), HALF)

    @torch.no_grad()
    def run() -> None:
        state = None
        for _ in range(40):
            out, state = cells(_noise(1, 8, 256, dtype=HALF), state)
            head(out).argmax(-1).cpu()

    return run


def _replays(what: str) -> Run:
    """Batches of a classifier, or steps of a diffusion, as replays of a graph."""
    if what == "vit":
        model: Any = ready(tf.ViTForImageClassification(tf.ViTConfig(**_tower(), num_labels=1000)))
        held: Any = _noise(4, 3, 224, 224)
        forward = lambda: model(held).logits.argmax(-1)  # noqa: E731
    elif what == "dit":
        blocks = ready(nn.ModuleList([_Block(512, 512, convolves=False) for _ in range(6)]))
        held, text, time = _noise(1, 512, 32, 32), _noise(1, 77, 512), _noise(1, 512)

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
            text.copy_(_noise(1, 77, 512))
        for _ in range(24):
            if what == "dit":
                time.copy_(_noise(1, 512))
            else:
                held.copy_(torch.randn_like(held) if held.is_floating_point() else words(1, 300))
            graph.replay()
            if what != "dit":
                out.cpu()

    return run


def _simulates() -> Run:
    grid, weight = _noise(1, 1, 512, 512), _noise(1, 1, 5, 5) * 0.01

    @torch.no_grad()
    def run() -> None:
        field = grid
        for _ in range(60):
            for _ in range(8):
                field = field + functional.conv2d(field, weight, padding=2).tanh() * 0.1
            field.abs().max().item()

    return run


OTHERS: dict[str, Callable[[], Run]] = {
    "no_clip": _clip,
    "no_siglip": _siglip,
    "no_detr": _detr,
    "no_sam": _sam,
    "no_segments": _segments,
    "no_speech_equal": lambda: _speech([16000] * 20),
    "no_speech_growing": lambda: _speech([48000, *range(16000, 32000, 1000)]),
    "no_embeds_one": lambda: _embeds("bert", 1, [200, *[32] * 20]),
    "no_embeds_batches": lambda: _embeds("xlm-roberta", 16, [128] * 12),
    "no_embeds_modern": lambda: _embeds("modernbert", 4, [300, *[100] * 12]),
    "no_embeds_single_words": lambda: _embeds("bert", 1, [200, *[1] * 20]),
    "no_reranks": lambda: _reranks(False),
    "no_reranks_one": lambda: _reranks(True),
    "no_answer_spans": _answer_spans,
    "no_perplexity": _perplexity,
    "no_perplexity_equal": lambda: _perplexity(rest=False, stride=512),
    "no_choices": _choices,
    "no_masked_diffusion": lambda: _masked_diffusion(reads=True),
    "no_masked_diffusion_unread": lambda: _masked_diffusion(reads=False),
    "no_picture_tokens": _picture_tokens,
    "no_unet": lambda: _diffusion(convolves=True, guided="batch"),
    "no_unet_twice": lambda: _diffusion(convolves=True, guided="twice", scheduler="sde"),
    "no_unet_reads": lambda: _diffusion(convolves=True, reads=True, preview=True),
    "no_dit": lambda: _diffusion(convolves=False, text="t5", scheduler="flow", guided="batch"),
    "no_dit_reads": lambda: _diffusion(convolves=False, text="t5", scheduler="flow", reads=True),
    "no_dit_language": lambda: _diffusion(convolves=False, text="qwen2", scheduler="flow", guided="twice"),
    "no_dit_few": lambda: _diffusion(convolves=False, text="t5", scheduler="flow", steps=4, size=64),
    "no_dit_tiny": lambda: _diffusion(convolves=False, text="qwen2", scheduler="flow", size=4, vae=False, reads=True),
    "no_bert_training": _bert_training,
    "no_gpt2_training": _gpt2_training,
    "no_lora": _lora,
    "no_resnet_training": _resnet_training,
    "no_preferences": _preferences,
    "no_gan": _gan,
    "no_gan_makes": _gan_makes,
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

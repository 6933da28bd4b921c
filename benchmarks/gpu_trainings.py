"""What only repeats, for `gpu_repetition.py`: training."""

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


def trains(model: Any, loss_of: Callable[[Any], torch.Tensor], steps: int = 6, each: int = 1, **more: Any) -> Run:
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
    return trains(model, lambda own: own(input_ids=batch, labels=batch).loss)


def _gpt2_training() -> Run:
    config = tf.GPT2Config(n_layer=4, n_embd=512, n_head=8, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    model, batch = ready(tf.GPT2LMHeadModel(config)), words(4, 256)
    return trains(model, lambda own: own(input_ids=batch, labels=batch).loss, each=4, fused=True)


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
    return trains(model, lambda own: own(input_ids=batch, labels=batch).loss)


def _resnet_training() -> Run:
    model = ready(tf.ResNetForImageClassification(tf.ResNetConfig(depths=[1, 1, 1, 1], num_labels=10)), torch.float32)
    pictures, labels = noise(8, 3, 128, 128, dtype=torch.float32), torch.randint(0, 10, (8,), device=DEVICE)
    return trains(model, lambda own: functional.cross_entropy(own(pictures).logits, labels))


def _preferences() -> Run:
    """Pairs of answers under two models, as direct preference optimization does."""
    model, other = causal("llama", layers=4), causal("llama", layers=4)
    good, bad = words(2, 128), words(2, 128)

    def loss(own: Any) -> torch.Tensor:
        with torch.no_grad():
            base = other(good).logits.log_softmax(-1).mean() - other(bad).logits.log_softmax(-1).mean()
        mine = own(good).logits.log_softmax(-1).mean() - own(bad).logits.log_softmax(-1).mean()
        return -functional.logsigmoid(mine - base)

    return trains(model, loss, 4)


def _gan() -> Run:
    makes = ready(nn.Sequential(nn.Linear(64, 4096), nn.ReLU(), nn.Linear(4096, 3072), nn.Tanh()))
    judges = ready(nn.Sequential(nn.Linear(3072, 1024), nn.LeakyReLU(), nn.Linear(1024, 1)))
    optimizers = [torch.optim.RMSprop(one.parameters(), lr=1e-4) for one in (makes, judges)]
    real = noise(32, 3072)

    def run() -> None:
        for _ in range(20):
            fake = makes(noise(32, 64))
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
            model(noise(4, 64, 64, 64)).float().cpu()

    return run


TRAININGS: dict[str, Callable[[], Run]] = {
    "no_plain_descent": _plain_descent,
    "no_bert_training": _bert_training,
    "no_gpt2_training": _gpt2_training,
    "no_lora": _lora,
    "no_resnet_training": _resnet_training,
    "no_preferences": _preferences,
    "no_gan": _gan,
    "no_gan_makes": _gan_makes,
}

"""Checkpoints of EventGPT, and data sets whose samples ask questions of different lengths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model.eventgpt.adapter import StagedEventGPT
from model.eventgpt.builder import build_staged
from model.registry import ModelOptions
from model.weights import randomise
from support.checkpoints import small_network, write_checkpoint

STOP = 2  # </s> of the small checkpoints


def ask(folder: Path, questions: list[str], *, seed: int = 0, stop: int = STOP, **options: Any) -> StagedEventGPT:
    """A small network from a checkpoint, asked each question about another picture; token `stop` ends it."""
    network = small_network(seed)
    randomise(network, network.device, seed)  # tokens that depend on all that came before
    for weight in (network.model.embed_tokens.weight, network.lm_head.weight):
        weight[[STOP, stop]] = weight[[stop, STOP]]  # the two tokens change their names
    checkpoint = write_checkpoint(folder / f"checkpoint{seed}_{stop}", network)
    samples = folder / "samples"
    samples.mkdir(exist_ok=True)
    entries = []
    for number, question in enumerate(questions):
        pixels = np.random.default_rng(number).integers(0, 256, (28, 28, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(samples / f"{number}.png")
        turns = [{"from": "human", "value": f"<event>\n{question}"}]
        entries.append({"id": number, "event_image": f"{number}.png", "conversations": turns})
    (samples / "questions.json").write_text(json.dumps(entries))
    chosen = {"size": "", "device": "cpu", "dtype": "float32", "frames": 1, "dataset": samples} | options
    return build_staged(ModelOptions(checkpoint=checkpoint, **chosen))

"""Tiny EventGPT checkpoints in the layout of the published ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from model.configs import text_config, vision_config
from model.eventgpt.checkpoint import published_name
from model.eventgpt.network import EventGPT
from model.sizes import TextSize, VisionSize, VLMSize

SMALL = VLMSize(
    name="small",
    vision=VisionSize(layers=1, hidden=32, mlp=64, heads=2, image=28, patch=14),
    text=TextSize(layers=2, hidden=48, mlp=96, heads=4, kv_heads=4, vocabulary=64, positions=512),
    frames=5,
)
WORDS = ["<unk>", "<s>", "</s>", "what", "is", "this", "USER", "ASSISTANT", ":", "."]


def small_network(seed: int = 0, **options: bool) -> EventGPT:
    torch.manual_seed(seed)
    text = text_config(SMALL.text, eos_token_id=None, pad_token_id=0)
    network = EventGPT(text, vision_config(SMALL.vision), **options).eval()
    network.generation_config.eos_token_id = None
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.3)
    return network


def write_checkpoint(folder: Path, network: EventGPT, *, suffix: str = ".safetensors") -> Path:
    """config.json, tokenizer, tower config, and two shards with their index."""
    folder.mkdir(parents=True, exist_ok=True)
    text = asdict(SMALL.text)
    config = {
        "model_type": "EventChat_llama",
        "architectures": ["EventChatModel"],
        "num_hidden_layers": text["layers"],
        "hidden_size": text["hidden"],
        "intermediate_size": text["mlp"],
        "num_attention_heads": text["heads"],
        "vocab_size": text["vocabulary"],
        "max_position_embeddings": text["positions"],
        "mm_visual_tower": "tower",
        "event_feature_adaptor": True,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tower").mkdir(exist_ok=True)
    (folder / "tower/config.json").write_text(json.dumps({"vision_config": vision_config(SMALL.vision).to_dict()}))
    write_tokenizer(folder)
    tensors = {published_name(name): parameter.clone() for name, parameter in network.named_parameters()}
    write_shards(folder, tensors, suffix=suffix)
    return folder


def write_shards(folder: Path, tensors: dict[str, torch.Tensor], *, suffix: str = ".safetensors") -> None:
    stem, save = ("model", save_file) if suffix == ".safetensors" else ("pytorch_model", torch.save)
    names = sorted(tensors)
    weight_map = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        shard = f"{stem}-0000{number}-of-00002{suffix}"
        save({name: tensors[name] for name in part}, folder / shard)
        weight_map |= dict.fromkeys(part, shard)
    index = f"{stem}{suffix}.index.json"
    (folder / index).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))

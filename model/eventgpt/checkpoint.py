"""EventGPT checkpoint folders: config.json, tokenizer files, sharded `.safetensors` or `.bin` weights.

Everything in such a folder is untrusted: `.bin` shards go through torch's weights-only unpickler, shard
names may not leave the folder, and no code or network address in config.json is followed.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from model.errors import CheckpointError
from model.eventgpt.sizes import FRAMES
from model.sizes import CLIP_VIT_L_14_336, TextSize, VisionSize, VLMSize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import nn

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
# Buffers that old exports store and every current network computes.
COMPUTED = ("rotary_emb.inv_freq", "embeddings.position_ids")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: the file is missing or holds something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}; a checkpoint folder needs it") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: holds a JSON {type(content).__name__}, not an object")
    return content


def read_size(folder: Path) -> VLMSize:
    """Return the network's size from config.json.

    The vision tower's comes from the folder that `mm_visual_tower` names, where that lies inside the
    checkpoint, and is CLIP ViT-L/14-336 otherwise: upstream's config holds only the tower's address.

    Raises:
        CheckpointError: config.json is missing or lacks a number, or the weights are quantised.
    """
    path = folder / "config.json"
    config = read_json(path)
    if config.get("quantization_config") is not None:
        raise CheckpointError(
            f"{path}: has a quantization_config; EventGPT is read at full precision alone, "
            "quantised checkpoints only of LLaVA-1.5, Video-LLaVA and hf: folders"
        )
    heads = _number(path, config, "num_attention_heads")
    text = TextSize(
        layers=_number(path, config, "num_hidden_layers"),
        hidden=_number(path, config, "hidden_size"),
        mlp=_number(path, config, "intermediate_size"),
        heads=heads,
        kv_heads=_number(path, config, "num_key_value_heads", heads),
        vocabulary=_number(path, config, "vocab_size"),
        positions=_number(path, config, "max_position_embeddings", 2048),
        head_dim=0 if config.get("head_dim") is None else _number(path, config, "head_dim"),
    )
    return VLMSize(name=folder.resolve().name, vision=_vision_size(folder, config), text=text, frames=FRAMES)


def _vision_size(folder: Path, config: Mapping[str, Any]) -> VisionSize:
    tower = config.get("mm_visual_tower")
    if not isinstance(tower, str) or not _inside(tower) or not (folder / tower / "config.json").is_file():
        return CLIP_VIT_L_14_336
    path = folder / tower / "config.json"
    vision = read_json(path)
    vision = vision.get("vision_config", vision)
    return VisionSize(
        layers=_number(path, vision, "num_hidden_layers"),
        hidden=_number(path, vision, "hidden_size"),
        mlp=_number(path, vision, "intermediate_size"),
        heads=_number(path, vision, "num_attention_heads"),
        image=_number(path, vision, "image_size"),
        patch=_number(path, vision, "patch_size"),
    )


def _number(path: Path, config: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = config.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise CheckpointError(f"{path}: {key} is {value!r}, not a positive whole number")
    return value


def _inside(name: str) -> bool:
    """Whether a relative path stays in the folder it is resolved against."""
    parts = PurePath(name)
    return not parts.is_absolute() and ".." not in parts.parts


def find_shards(folder: Path) -> list[Path]:
    """The weight files of a checkpoint folder.

    Raises:
        CheckpointError: there are none, or the index names one that is missing or outside the folder.
    """
    for name in INDEXES:
        index = folder / name
        if index.is_file():
            weight_map = read_json(index).get("weight_map")
            if not isinstance(weight_map, dict):
                raise CheckpointError(f"{index}: has no weight_map")
            return [_shard(index, str(shard)) for shard in sorted(set(weight_map.values()))]
    shards = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not shards:
        raise CheckpointError(f"{folder}: no weights here (*.safetensors or pytorch_model*.bin)")
    return shards


def _shard(index: Path, name: str) -> Path:
    if not _inside(name):
        raise CheckpointError(f"{index}: names the shard {name!r}, which is outside the folder")
    path = index.parent / name
    if not path.is_file():
        raise CheckpointError(f"{index}: names the shard {name!r}, which is not there")
    return path


def load_weights(network: nn.Module, folder: Path) -> None:
    """Copy every parameter of `network` from the folder, converting dtype and device.

    Raises:
        CheckpointError: a tensor is missing, misshapen or unreadable; the message names it.
    """
    targets = {published_name(name): parameter for name, parameter in network.named_parameters()}
    missing = set(targets)
    unknown: list[str] = []
    for shard in find_shards(folder):
        for stored, tensor in _tensors(shard):
            name = published_name(stored)
            if name not in targets:
                unknown += [] if stored.endswith(COMPUTED) else [stored]
                continue
            target = targets[name]
            if tensor.shape != target.shape:
                raise CheckpointError(
                    f"{shard}: {stored} has the shape {list(tensor.shape)}, config.json makes it {list(target.shape)}"
                )
            with torch.no_grad():
                target.copy_(tensor)
            missing.discard(name)
    if missing:
        first, more = min(missing), len(missing) - 1
        also = f" and {more} more" if more else ""
        hint = f"; it holds {unknown[0]} instead" if unknown else ""
        raise CheckpointError(f"{folder}: no tensor named {first}{also}{hint}")


def published_name(name: str) -> str:
    """The name a parameter has in published checkpoints.

    transformers wrapped CLIP's tower in a `vision_model` level, and later removed the level; the published
    names have it.
    """
    tower = "model.visual_tower.visual_tower."
    if name.startswith(tower) and not name.startswith(tower + "vision_model."):
        return tower + "vision_model." + name.removeprefix(tower)
    return name


def _tensors(shard: Path) -> Iterator[tuple[str, torch.Tensor]]:
    try:
        if shard.suffix == ".safetensors":
            with safe_open(shard, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118 -- safe_open's handle is no mapping
                    yield name, tensors.get_tensor(name)
        else:
            content = torch.load(shard, map_location="cpu", weights_only=True, mmap=True)
            if not isinstance(content, dict):
                raise CheckpointError(f"{shard}: holds a {type(content).__name__}, not named tensors")
            for name, tensor in content.items():
                if isinstance(tensor, torch.Tensor):
                    yield str(name), tensor
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{shard}: damaged or unsafe weights ({reason})") from None

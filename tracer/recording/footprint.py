"""What a model holds of its device's memory: weights, and what the cache of one token takes by its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from tracer.document.recorded_memory import RecordedMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.recorded_memory import RequestMemory

# Settings of architectures whose layers do not all keep the keys and values of every token.
OTHERWISE = (
    "kv_lora_rank",
    "sliding_window",
    "attention_chunk_size",
    "ssm_cfg",
    "mamba_d_state",
    "linear_num_key_heads",
)


def recorded_memory(model: Any, device: torch.device, requests: Sequence[RequestMemory]) -> RecordedMemory | None:
    """The memory of a recording; None where the allocator counted nothing.

    Args:
        model: a staged model; built-in ones and folders have their `network`.
        device: where it is.
        requests: what the counters said.
    """
    if not requests:
        return None
    network = getattr(model, "network", None)
    shown = isinstance(network, torch.nn.Module)
    return RecordedMemory(
        requests=list(requests),
        weight_bytes=weight_bytes(network, device) if isinstance(network, torch.nn.Module) else None,
        kv_token_bytes=kv_token_bytes(network) if shown else None,
        kv_ahead=dict(model.describe()).get("decode", "eager") != "eager" if hasattr(model, "describe") else False,
        outside_bytes=outside_bytes(device),
    )


def weight_bytes(network: torch.nn.Module, device: torch.device) -> int:
    """Bytes of all parameters on a device, shared ones once."""
    return sum(one.numel() * one.element_size() for one in network.parameters() if one.device.type == device.type)


def kv_token_bytes(network: Any) -> int | None:
    """Bytes of the keys and values of one token of one sequence; None where the configuration does not tell.

    2 (keys and values) x layers x key/value heads x width of a head x bytes of a number.
    """
    config: Any = getattr(network, "config", None)
    text: Any = config.get_text_config() if hasattr(config, "get_text_config") else config
    if text is None or any(getattr(text, name, None) for name in OTHERWISE):
        return None
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    layers, heads = getattr(text, "num_hidden_layers", None), getattr(text, "num_attention_heads", None)
    if kinds != {"full_attention"} or not layers or not heads:
        return None
    width = getattr(text, "head_dim", None) or text.hidden_size // heads
    return int(2 * layers * (getattr(text, "num_key_value_heads", None) or heads) * width * network.dtype.itemsize)


def outside_bytes(device: torch.device) -> int | None:
    """What of the device is in use and not the allocator's; None where nothing tells."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    return max(0, total - free - torch.cuda.memory_reserved(device))

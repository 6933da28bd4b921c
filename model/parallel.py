"""Tensor parallelism: a decoder's weights divided among ranks, by the plan that transformers' configuration has for it.

What `base_model_tp_plan` calls "colwise" computes a part of its outputs on each rank, "rowwise" takes a part of the
inputs, and an all-reduce adds up what all ranks made. The output layer computes a part of the logits, which are then
gathered, as every causal model of transformers plans it. All else is whole on every rank. The parts are plain tensors,
so that a pass costs what its products and collectives cost, and nothing for telling them apart.

Shape legend: B batch, L positions, V vocabulary, R ranks.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed, nn

from model.errors import ModelError

if TYPE_CHECKING:
    from model.registry import ModelOptions
    from model.sizes import TextSize

COLUMNS, ROWS = "colwise", "rowwise"
OPTION = "--tensor-parallel"


def share_of(size: TextSize, ranks: int) -> TextSize:
    """What one of so many ranks computes of a decoder."""
    return replace(
        size,
        heads=size.heads // ranks,
        kv_heads=size.kv_heads // ranks,
        mlp=size.mlp // ranks,
        vocabulary=size.vocabulary if size.vocabulary % ranks else size.vocabulary // ranks,
    )


@torch.no_grad()
def split(network: Any, size: TextSize, options: ModelOptions) -> None:
    """Keep this rank's part of the decoder and of the output layer, in place; nothing where there is one rank.

    Args:
        network: of transformers, with all of its weights.
        size: of its decoder.
        options: say which rank this is, and of how many.

    Raises:
        ModelError: the decoder does not divide by so many ranks, or is none that can be divided.
    """
    rank, ranks = options.rank, options.ranks
    if ranks == 1:
        return
    for name, count in (("heads", size.heads), ("key/value heads", size.kv_heads), ("MLP columns", size.mlp)):
        if count % ranks:
            raise ModelError(f"{OPTION} {ranks}: {count} {name} do not divide by {ranks}")
    decoder = network.get_decoder()
    ways = _ways(decoder)
    for name, module in list(decoder.named_modules()):
        for pattern, way in ways:
            if pattern.fullmatch(name):
                _keep(_checked(module, name), 0 if way == COLUMNS else 1, rank, ranks)
    head = network.get_output_embeddings()
    if size.vocabulary % ranks == 0:
        tied = head.weight is network.get_input_embeddings().weight
        _keep(_checked(head, "the output layer"), 0, rank, ranks, keep_whole=tied)
        head.register_forward_hook(_gather)


def _ways(decoder: Any) -> list[tuple[re.Pattern[str], str]]:
    """The decoder's plan: names of modules, and how each is divided."""
    plan = dict(getattr(decoder.config, "base_model_tp_plan", None) or {})
    kind = decoder.config.model_type
    if not plan:
        raise ModelError(f"{OPTION}: transformers has no plan for dividing a decoder of the type {kind}")
    if unknown := sorted(set(plan.values()) - {COLUMNS, ROWS}):
        raise ModelError(f"{OPTION}: the plan for a decoder of the type {kind} has {unknown[0]}, unknown here")
    return [(re.compile(re.escape(name).replace(r"\*", r"\d+")), way) for name, way in plan.items()]


def _checked(module: Any, name: str) -> nn.Linear:
    """A module that can be divided."""
    if type(module) is not nn.Linear or not module.weight.is_floating_point():
        raise ModelError(f"{OPTION}: {name} is a {type(module).__name__}; only plain, unquantised weights are divided")
    return module


def _keep(module: nn.Linear, axis: int, rank: int, ranks: int, *, keep_whole: bool = False) -> None:
    """Keep one part of a layer's weights: of its outputs (axis 0), or of its inputs, whose outputs are then added up.

    Args:
        module: the layer.
        axis: of the weight [out, in].
        rank, ranks: which part, of how many.
        keep_whole: whether the weight is another layer's too; then this one gets a tensor of its own.
    """
    part = module.weight.chunk(ranks, dim=axis)[rank].clone()
    if keep_whole:
        module.weight = nn.Parameter(part, requires_grad=False)
    else:
        module.weight.data = part
    module.tensor_parallel = True  # type: ignore[assignment]  # an attribute that is neither tensor nor module
    if axis == 0:
        module.out_features //= ranks
        if module.bias is not None:
            module.bias.data = module.bias.chunk(ranks)[rank].clone()
        return
    module.in_features //= ranks
    if module.bias is not None and rank:
        module.bias.data.zero_()  # it is added once
    module.register_forward_hook(_add_up)


def _add_up(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
    """The sum of all ranks' outputs, in place."""
    distributed.all_reduce(output)
    return output


def _gather(_module: nn.Module, _inputs: Any, part: torch.Tensor) -> torch.Tensor:
    """All logits [B, L, V] of the parts [B, L, V / R]."""
    ranks = distributed.get_world_size()
    parts = part.new_empty((ranks, *part.shape))
    gather = getattr(distributed, "all_gather_single", None) or distributed.all_gather_into_tensor  # its former name
    gather(parts.view(ranks * part.shape[0], *part.shape[1:]), part.contiguous())
    return parts.movedim(0, -2).flatten(-2)


def describe(options: ModelOptions) -> dict[str, Any]:
    """What a model says of how it is divided: nothing where it is whole."""
    if options.ranks == 1:
        return {}
    said = {
        "ranks": options.ranks,
        "divided": "the decoder's attention and MLP, and the output layer where its rows divide",
        "whole": "the vision encoder, its projection, embeddings and norms, on every rank",
    }
    return {"tensor_parallel": said}


def fingerprint(network: nn.Module) -> list[int]:
    """Sums over the bits of what is whole on every rank; equal weights have equal ones.

    Weights are drawn one after the other, and what is drawn last, of a vision encoder behind its decoder, is whole: so
    whoever drew others before has others there too.
    """
    divided = {id(module.weight) for module in network.modules() if getattr(module, "tensor_parallel", False)}
    kinds = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return [
        int(parameter.detach().view(kinds[parameter.element_size()]).sum(dtype=torch.int64))
        for parameter in network.parameters()
        if id(parameter) not in divided
    ]

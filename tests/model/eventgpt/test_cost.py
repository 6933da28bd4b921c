"""The analytic work equals what torch counts, operator by operator."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from model.configs import text_size
from model.costs import decoder_cost
from model.eventgpt.adapter import StagedEventGPT
from model.eventgpt.builder import build_staged
from model.registry import ModelOptions

TOKENS = 4


@pytest.fixture(params=[{}, {"frames": 1}, {"batch_frames": True}], ids=["five", "one", "batched"])
def model(request: pytest.FixtureRequest) -> StagedEventGPT:
    built = build_staged(ModelOptions(size="tiny", device="cpu", dtype="float32", **request.param))
    # Eager attention is made of matrix products, which the counter knows on every device.
    built.network.set_attn_implementation("eager")
    built.network.model.visual_tower.visual_tower.set_attn_implementation("eager")
    return built


def _counted(work: Any) -> tuple[int, Any]:
    with FlopCounterMode(display=False) as counter:
        result = work()
    # Some releases of transformers compute the rotary angles by a matrix product; they are no part of the model.
    modules = counter.get_flop_counts().items()
    rotary = sum(sum(counts.values()) for name, counts in modules if name.endswith("rotary_emb"))
    return counter.get_total_flops() - rotary, result


def test_flops_of_every_stage_equal_torchs_count(model: StagedEventGPT) -> None:
    inputs = model.prepare(model.load())
    cost = model.cost(model.shape(inputs), new_tokens=TOKENS)
    vision, features = _counted(lambda: model.encode_vision(inputs))
    assert cost.vision.flops == vision
    prefill, state = _counted(lambda: model.prefill(inputs, features))
    assert cost.prefill.flops == prefill
    assert len(cost.decode) == TOKENS - 1
    for step in cost.decode:
        counted, state = _counted(lambda state=state: model.decode_step(state))
        assert step.flops == counted


def test_the_least_work_leaves_out_what_the_mask_hides(model: StagedEventGPT) -> None:
    inputs = model.prepare(model.load())
    cost = model.cost(model.shape(inputs), new_tokens=3)
    prompt = inputs.input_ids.shape[1] - 1 + len(inputs.frames[0]) + 577
    size = model.network.config
    hidden_pairs = prompt * (prompt - 1) // 2  # above the diagonal of the attention matrix
    assert cost.prefill.least_flops == cost.prefill.flops - 4 * hidden_pairs * size.hidden_size * size.num_hidden_layers
    assert cost.vision.least_flops is None
    assert all(step.least_flops == step.flops for step in cost.decode)


def test_heads_may_be_wider_or_narrower_than_the_hidden_size_says() -> None:
    config = transformers.MistralConfig(
        hidden_size=64, num_attention_heads=8, num_key_value_heads=2, head_dim=4, num_hidden_layers=2,
        intermediate_size=96, vocab_size=50,
    )  # fmt: skip
    network = transformers.MistralForCausalLM(config)
    decoder = network.model.layers.parameters(), network.model.norm.parameters(), network.lm_head.parameters()
    cost = decoder_cost(text_size(config), batch=1, new=1, cached=6, itemsize_bytes=2)
    assert cost.weight_bytes == 2 * sum(parameter.numel() for part in decoder for parameter in part)
    assert cost.kv_bytes == 2 * 2 * 2 * (2 * 4) * (6 + 2)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.set_attn_implementation("eager")
        network(torch.ones((1, 7), dtype=torch.int64), use_cache=False)
    products = decoder_cost(text_size(config), batch=1, new=7, cached=0, itemsize_bytes=2).flops
    rotary = sum(sum(c.values()) for name, c in counter.get_flop_counts().items() if name.endswith("rotary_emb"))
    assert counter.get_total_flops() - rotary == products + 6 * 2 * 64 * 50  # logits of all seven


def test_weight_bytes_are_those_of_the_parameters_each_stage_reads(model: StagedEventGPT) -> None:
    inputs = model.prepare(model.load())
    shape = model.shape(inputs)
    cost = model.cost(shape, new_tokens=2)
    backbone = model.network.model
    decoder = sum(p.numel() for p in backbone.layers.parameters()) + backbone.norm.weight.numel()
    decoder += model.network.lm_head.weight.numel()
    assert cost.prefill.weight_bytes == cost.decode[0].weight_bytes == 4 * decoder
    tower = sum(p.numel() for name, p in backbone.visual_tower.named_parameters() if "post_layernorm" not in name)
    parts = (backbone.visual_projector, backbone.feature_adaptor)
    vision = tower + sum(p.numel() for part in parts for p in part.parameters())
    assert cost.vision.weight_bytes == 4 * vision * model.expected_encoder_calls(inputs)


def test_cache_bytes_are_those_of_the_cache(model: StagedEventGPT) -> None:
    inputs = model.prepare(model.load())
    shape = model.shape(inputs)
    state = model.prefill(inputs, model.encode_vision(inputs))
    size = model.network.config
    per_position = 2 * size.num_hidden_layers * size.hidden_size * torch.float32.itemsize
    prompt = shape.visual_tokens + shape.prompt_tokens
    assert state.attention_mask.shape == (1, prompt)
    cost = model.cost(shape, new_tokens=3)
    assert cost.prefill.kv_bytes == 2 * prompt * per_position
    assert [step.kv_bytes for step in cost.decode] == [(prompt + k + 2) * per_position for k in range(2)]

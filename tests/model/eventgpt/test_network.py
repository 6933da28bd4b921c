"""The decoupled path gives what the coupled one does, and the network is the published one."""

from __future__ import annotations

import pytest
import torch
from support.checkpoints import SMALL, small_network

from model.configs import text_config, vision_config
from model.eventgpt.checkpoint import published_name
from model.eventgpt.network import (
    EVENT_TOKEN_INDEX,
    EventGPT,
    spatio_temporal_pooling,
)
from model.eventgpt.sizes import SIZES

TOKENS = 12


def _frames(count: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    side = SMALL.vision.image
    return [torch.randn(3, side, side, generator=generator) for _ in range(count)]


def _prompt(*rows: list[int]) -> torch.Tensor:
    return torch.tensor(rows)


ONE = [1, 5, EVENT_TOKEN_INDEX, 9, 11]
TWO = [1, 7, EVENT_TOKEN_INDEX, 13, 2]


def _generate(network: EventGPT, prompt: torch.Tensor, **given: object) -> torch.Tensor:
    tokens = network.generate(prompt, do_sample=False, max_new_tokens=TOKENS, **given)
    assert tokens.shape == (prompt.shape[0], TOKENS)
    return tokens


@pytest.mark.parametrize("batch_frames", [False, True])
@pytest.mark.parametrize("count", [1, 5])
def test_features_and_frames_give_equal_tokens(count: int, batch_frames: bool) -> None:
    network, frames = small_network(batch_frames=batch_frames), _frames(count)
    features = network.encode_events(frames)
    assert features.shape == (1, count + SMALL.vision.tokens, SMALL.text.hidden)
    decoupled = _generate(network, _prompt(ONE), event_features=features)
    assert torch.equal(decoupled, _generate(network, _prompt(ONE), event_tensors=frames))


@pytest.mark.parametrize("count", [1, 5])
def test_a_batch_of_samples_gives_equal_tokens_both_ways(count: int) -> None:
    network, samples = small_network(), [_frames(count, 1), _frames(count, 2)]
    features = network.encode_events(samples)
    decoupled = _generate(network, _prompt(ONE, TWO), event_features=features)
    assert torch.equal(decoupled, _generate(network, _prompt(ONE, TWO), event_tensors=samples))
    for row, (prompt, frames) in enumerate(zip((ONE, TWO), samples, strict=True)):
        assert torch.equal(decoupled[row : row + 1], _generate(network, _prompt(prompt), event_tensors=frames))


def test_the_comparison_can_fail_other_frames_give_other_tokens() -> None:
    network = small_network()
    one, other = (_generate(network, _prompt(ONE), event_tensors=_frames(5, seed)) for seed in (1, 2))
    assert not torch.equal(one, other)


def test_ragged_prompts_are_padded_on_the_left_and_answered_as_alone() -> None:
    network, samples = small_network(), [_frames(2, 1), _frames(2, 2)]
    long, short = [1, 5, 6, 7, EVENT_TOKEN_INDEX, 9, 11], ONE
    padded = _prompt(long, [0, 0, *short])
    mask = torch.tensor([[1] * 7, [0, 0, 1, 1, 1, 1, 1]])
    prepared = network.prepare_inputs_labels_for_multimodal(padded, None, mask, None, None, event_tensors=samples)
    visual = 2 + SMALL.vision.tokens
    assert prepared.inputs_embeds is not None
    assert prepared.inputs_embeds.shape[:2] == (2, 6 + visual)
    assert prepared.attention_mask is not None
    assert prepared.attention_mask.sum(-1).tolist() == [6 + visual, 4 + visual]
    assert prepared.attention_mask[1, :2].tolist() == [0, 0]
    tokens = _generate(network, padded, event_tensors=samples, attention_mask=mask)
    alone = _generate(network, _prompt(short), event_tensors=samples[1])
    assert torch.equal(tokens[1:], alone)


def test_a_tensor_of_single_frames_takes_upstreams_shortcut() -> None:
    network = small_network()
    frames = torch.stack(_frames(2))
    features = network.encode_events(frames)
    assert torch.equal(features, network.visval_encode(frames))
    assert features.shape == (2, SMALL.vision.tokens, SMALL.text.hidden)
    tokens = _generate(network, _prompt(ONE, TWO), event_tensors=frames)
    assert torch.equal(tokens, _generate(network, _prompt(ONE, TWO), event_features=features))


def test_labels_are_ignored_where_pictures_stand() -> None:
    network = small_network()
    prompt = _prompt(ONE)
    prepared = network.prepare_inputs_labels_for_multimodal(
        prompt, None, None, None, prompt.clone(), event_tensors=_frames(1)
    )
    visual = 1 + SMALL.vision.tokens
    assert prepared.labels is not None
    assert prepared.labels.tolist() == [[1, 5, *[-100] * visual, 9, 11]]


def test_without_pictures_or_for_one_token_the_arguments_come_back() -> None:
    network = small_network()
    for prompt, given in ((_prompt(ONE), {}), (_prompt([5]), {"event_tensors": _frames(1)})):
        prepared = network.prepare_inputs_labels_for_multimodal(prompt, None, None, "cache", None, **given)
        assert prepared == (prompt, None, None, "cache", None, None)


def test_generate_refuses_what_upstream_refuses() -> None:
    network = small_network()
    with pytest.raises(NotImplementedError):
        network.generate(_prompt(ONE))
    with pytest.raises(NotImplementedError):
        network.generate(_prompt(ONE), event_tensors=_frames(1), inputs_embeds=torch.zeros(1, 1, 1))
    with pytest.raises(ValueError, match="more event placeholders"):
        network.generate(_prompt([1, -200, -200, 4]), event_tensors=_frames(1))


def test_pooling_is_the_mean_over_each_axis() -> None:
    features = torch.arange(24.0).reshape(2, 3, 4)
    pooled = spatio_temporal_pooling(features)
    assert pooled.tolist() == [
        [4, 5, 6, 7],
        [16, 17, 18, 19],
        [6, 7, 8, 9],
        [10, 11, 12, 13],
        [14, 15, 16, 17],
    ]


def test_the_published_size_has_the_published_shapes_and_names() -> None:
    size = SIZES["7b"]
    with torch.device("meta"):
        network = EventGPT(text_config(size.text), vision_config(size.vision))
    shapes = {published_name(name): list(p.shape) for name, p in network.named_parameters()}
    for name, shape in {
        "lm_head.weight": [32000, 4096],
        "model.embed_tokens.weight": [32000, 4096],
        "model.layers.31.mlp.down_proj.weight": [4096, 11008],
        "model.feature_adaptor.weight": [4096, 4096],
        "model.visual_projector.0.weight": [4096, 1024],
        "model.visual_projector.2.bias": [4096],
        "model.visual_tower.visual_tower.vision_model.embeddings.position_embedding.weight": [577, 1024],
        "model.visual_tower.visual_tower.vision_model.encoder.layers.23.mlp.fc1.weight": [4096, 1024],
        "model.visual_tower.visual_tower.vision_model.pre_layrnorm.weight": [1024],
    }.items():
        assert shapes[name] == shape, name
    decoder = sum(p.numel() for name, p in network.named_parameters() if "visual" not in name and "adapt" not in name)
    assert decoder == 6_738_415_616  # LLaMA-7B
    tower = sum(p.numel() for p in network.model.visual_tower.parameters())
    assert tower == 303_507_456  # CLIP ViT-L/14-336, vision half

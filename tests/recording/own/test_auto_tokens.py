"""Tokens are counted where transformers' own `generate` appends them, in every way that people call it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from tracer.document.manifest import Latencies
from tracer.document.summary import measures
from tracer.measure.requests import request_rows
from tracer.recording.marks import Marks
from tracer.recording.own import auto, child
from tracer.staging import recorded_by

NEW = 9
PROMPT = torch.arange(3, 27)[None]


@pytest.fixture(autouse=True)
def _hooked(monkeypatch: pytest.MonkeyPatch) -> None:
    mixin: Any = transformers.generation.utils.GenerationMixin
    monkeypatch.setattr(mixin, "generate", mixin.generate)  # put back at the end
    monkeypatch.setattr(child, "_notes", {})
    auto.hook(transformers.generation.utils)


def _llama(seed: int = 0, layers: int = 2) -> Any:
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=layers, num_attention_heads=4, vocab_size=64,
        max_position_embeddings=512, bos_token_id=1, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    network = LlamaForCausalLM(config).eval()
    network.generation_config.eos_token_id = None
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, 0.01)  # repeats a token, as greedy text does: guesses are accepted
    return network


def _t5() -> Any:
    torch.manual_seed(0)
    config = T5Config(
        d_model=32, d_ff=64, num_layers=2, num_heads=4, d_kv=8, vocab_size=64, decoder_start_token_id=0,
        eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    network = T5ForConditionalGeneration(config).eval()
    network.generation_config.eos_token_id = None
    return network


def _generate(network: Any, **options: Any) -> tuple[Latencies, Any, torch.Tensor]:
    """The latencies of one request, the shape it is said to have, and its answer."""
    marks = Marks()
    with recorded_by(marks):
        ids = PROMPT.clone()
        answer = network.generate(
            ids, attention_mask=torch.ones_like(ids), **{"max_new_tokens": NEW, "do_sample": False, **options}
        )
    (request,) = marks.requests
    return request.latencies, child._shape(), answer


def _tokens(latencies: Latencies) -> int:
    steps = latencies.step_tokens or [1] * len(latencies.decode_ns)
    return latencies.prefill_tokens + sum(steps)


def test_greedy_steps_yield_a_token_each() -> None:
    latencies, shape, _ = _generate(_llama())
    assert (latencies.prefill_tokens, len(latencies.decode_ns), latencies.step_tokens) == (1, NEW - 1, [])
    assert (shape.prompt_tokens, shape.new_tokens, shape.batch_size) == (24, NEW, 1)


@pytest.mark.parametrize("way", ["lookup", "assistant"])
def test_a_step_that_checks_guesses_yields_several_tokens(way: str) -> None:
    network = _llama()
    options = {"prompt_lookup_num_tokens": 4} if way == "lookup" else {"assistant_model": network}
    latencies, shape, answer = _generate(network, **options)
    assert _tokens(latencies) == shape.new_tokens == answer.shape[1] - PROMPT.shape[1]
    assert len(latencies.decode_ns) < NEW - 1
    assert len(latencies.step_tokens) == len(latencies.decode_ns)


def test_time_per_token_is_over_the_tokens_of_a_step() -> None:
    from support.manifests import manifest

    (row,) = request_rows(manifest([Latencies(
        load_ns=0, preprocess_ns=0, vision_ns=0, prefill_ns=50, decode_ns=[30, 30], prefill_tokens=2, step_tokens=[3, 1]
    )]))  # fmt: skip
    assert row.new_tokens == 6
    assert measures(row)["tpot"] == 60 / 5


def test_an_assistants_own_passes_are_part_of_the_step() -> None:
    """It may be the network itself, some layers of it, or another."""
    latencies, _, answer = _generate(_llama(), assistant_model=_llama(seed=5, layers=1))
    assert _tokens(latencies) == answer.shape[1] - PROMPT.shape[1] == NEW


def test_a_prompt_in_chunks_is_one_prefill() -> None:
    latencies, shape, _ = _generate(_llama(), prefill_chunk_size=8)
    assert (latencies.prefill_tokens, len(latencies.decode_ns)) == (1, NEW - 1)
    assert shape.new_tokens == NEW


def test_an_encoders_prompt_is_no_part_of_the_answer() -> None:
    latencies, shape, answer = _generate(_t5())
    assert shape.new_tokens == answer.shape[1] - 1 == NEW
    assert len(latencies.decode_ns) == NEW - 1


@pytest.mark.parametrize("options", [{"do_sample": True}, {"num_beams": 4}])
def test_several_answers_are_several_sequences_of_as_many_tokens(options: dict[str, Any]) -> None:
    latencies, shape, answer = _generate(_llama(), num_return_sequences=4, **options)
    assert answer.shape[0] == shape.batch_size == 4
    assert _tokens(latencies) == shape.new_tokens == NEW


def test_what_beams_return_counts_and_not_the_beams() -> None:
    _, shape, _ = _generate(_llama(), num_beams=4)
    assert (shape.batch_size, shape.new_tokens) == (1, NEW)

"""Decode steps made in other ways yield the model's own tokens."""

from __future__ import annotations

import shutil

import pytest
import torch

from model.errors import ModelError
from model.eventgpt.adapter import StagedEventGPT
from model.eventgpt.builder import build_staged
from model.registry import ModelOptions
from model.staged import run_request

TOKENS = 6


def _build(decode: str, device: str = "cpu") -> StagedEventGPT:
    options = ModelOptions(size="tiny", device=device, dtype="float32", frames=1, decode=decode, new_tokens=TOKENS)
    return build_staged(options)


def _assert_the_models_own(model: StagedEventGPT) -> None:
    inputs = model.prepare(model.load())
    stock = model.generate(inputs, model.encode_vision(inputs), max_new_tokens=TOKENS)
    for _ in range(2):  # the cache is used again
        assert torch.equal(run_request(model, max_new_tokens=TOKENS), stock)


def test_a_static_cache() -> None:
    _assert_the_models_own(_build("static"))


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_step() -> None:
    _assert_the_models_own(_build("compile"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
def test_a_graph() -> None:
    _assert_the_models_own(_build("graph", "cuda"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_graph_without_a_gpu_is_refused() -> None:
    model = _build("graph")
    with pytest.raises(ModelError, match="--decode static runs anywhere"):
        run_request(model, max_new_tokens=TOKENS)


def test_the_step_has_the_same_shapes_each_time() -> None:
    model = _build("static")
    inputs = model.prepare(model.load())
    state = model.prefill(inputs, model.encode_vision(inputs))
    shape = model.shape(inputs)
    positions = shape.visual_tokens + shape.prompt_tokens + TOKENS
    for _ in range(2):
        state = model.decode_step(state)
        assert state.cache.layers[0].keys.shape[2] == positions

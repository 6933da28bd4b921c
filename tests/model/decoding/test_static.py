"""Decode steps made in other ways yield the model's own tokens."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.questions import ask

from model.decoding.static import WARM_UP, StaticDecoder
from model.errors import InputError, ModelError
from model.eventgpt.adapter import StagedEventGPT
from model.eventgpt.builder import build_staged
from model.registry import ModelOptions
from model.staged import run_request

TOKENS = 6
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")


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


@needs_compiler
def test_a_compiled_step() -> None:
    _assert_the_models_own(_build("compile"))


@needs_gpu
def test_a_graph() -> None:
    _assert_the_models_own(_build("graph", "cuda"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_graph_without_a_gpu_is_refused() -> None:
    with pytest.raises(ModelError, match="--decode static runs anywhere"):
        _build("graph")


def test_the_step_has_the_same_shapes_each_time() -> None:
    model = _build("static")
    inputs = model.prepare(model.load())
    state = model.prefill(inputs, model.encode_vision(inputs))
    shape = model.shape(inputs)
    positions = shape.visual_tokens + shape.prompt_tokens + TOKENS
    for _ in range(2):
        state = model.decode_step(state)
        assert state.cache.layers[0].keys.shape[2] == positions


# Lengths that differ, in batches and from batch to batch; the last batch has one sequence.
QUESTIONS = [
    "what",
    "what is this what is this . what is this",
    "USER",
    "what is this",
    "this . is what what USER USER .",
]


@pytest.mark.parametrize(
    ("decode", "device"),
    [
        ("static", "cpu"),
        pytest.param("compile", "cpu", marks=needs_compiler),
        pytest.param("graph", "cuda", marks=needs_gpu),
    ],
)
def test_prompts_of_unequal_length_in_a_batch_and_across_a_data_set(tmp_path: Path, decode: str, device: str) -> None:
    model = ask(tmp_path, QUESTIONS, seed=3, batch_size=2, decode=decode, device=device, new_tokens=TOKENS)
    assert len(model.samples) == 3
    assert model.prepare(model.load(0)).ragged
    for number in (0, 2, 1, 0):
        inputs = model.prepare(model.load(number))
        stock = model.generate(inputs, model.encode_vision(inputs), max_new_tokens=TOKENS)
        assert torch.equal(run_request(model, number, max_new_tokens=TOKENS), stock)


@pytest.mark.parametrize(("padding", "equal"), [(True, True), (False, False)])
def test_what_stands_in_the_padding_is_never_seen_and_what_stands_in_the_prompt_is(
    tmp_path: Path, padding: bool, equal: bool
) -> None:
    model = ask(tmp_path, QUESTIONS[:2], seed=3, batch_size=2, decode="static", new_tokens=TOKENS)
    inputs = model.prepare(model.load())
    features = model.encode_vision(inputs)
    stock = model.generate(inputs, features, max_new_tokens=TOKENS)
    state = model.prefill(inputs, features)
    padded = state.attention_mask[0] == 0
    assert 0 < int(padded.sum()) < len(padded) // 2
    places = (padded if padding else ~padded).nonzero().flatten()
    for layer in state.cache.layers:
        layer.values[0, :, places] += 100.0
    for _ in range(TOKENS - 1):
        state = model.decode_step(state)
    assert torch.equal(state.tokens, stock) == equal


@pytest.mark.parametrize("tokens", [2, 3])
def test_rehearsals_before_a_capture_change_nothing_and_need_no_more_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokens: int
) -> None:
    make_ready = StaticDecoder.make_ready

    def as_before_a_capture(self: StaticDecoder) -> None:
        make_ready(self)
        self.rehearse(WARM_UP)

    monkeypatch.setattr(StaticDecoder, "make_ready", as_before_a_capture)
    model = ask(tmp_path, QUESTIONS[:3], seed=3, batch_size=2, decode="static", new_tokens=tokens)
    for number in range(2):
        inputs = model.prepare(model.load(number))
        stock = model.generate(inputs, model.encode_vision(inputs), max_new_tokens=tokens)
        assert torch.equal(run_request(model, number, max_new_tokens=tokens), stock)


def test_a_step_beyond_the_cache_is_refused_before_it_is_made(tmp_path: Path) -> None:
    model = ask(tmp_path, QUESTIONS[:1], decode="static", new_tokens=2)
    with pytest.raises(ModelError, match="positions"):
        run_request(model, max_new_tokens=9)


def test_the_cache_is_as_long_as_the_longest_request_of_a_data_set(tmp_path: Path) -> None:
    for name in ("a.png", "several/1.png", "several/2.png", "several/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((48, 64, 3), 80, dtype=np.uint8)).save(tmp_path / name)
    model = build_staged(
        ModelOptions(size="tiny", device="cpu", dtype="float32", dataset=tmp_path, decode="static", new_tokens=TOKENS)
    )
    inputs = [model.prepare(model.load(number)) for number in range(2)]
    lengths = [model.shape(one).visual_tokens + model.shape(one).prompt_tokens for one in inputs]
    assert lengths[0] != lengths[1]
    for one in inputs:
        state = model.prefill(one, model.encode_vision(one))
        assert state.cache.layers[0].keys.shape[2] == max(lengths) + TOKENS


def test_a_sample_that_does_not_fit_the_decoder_is_refused_before_anything_is_timed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="^1: .* do not fit the decoder's 512 positions"):
        ask(tmp_path, ["what", "what is this " * 200])

"""The staged loop is the model, and each picture is encoded once."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from model.errors import InputError, ModelError
from model.eventgpt.adapter import StagedEventGPT
from model.eventgpt.builder import build_staged
from model.registry import MODELS, ModelOptions, find
from model.staged import run_request
from tracer.recording.encoders import EncoderWatch

TOKENS = 16


def _build(**options: Any) -> StagedEventGPT:
    return build_staged(ModelOptions(size="tiny", device="cpu", dtype="float32", **options))


@pytest.mark.parametrize("batch_frames", [False, True])
@pytest.mark.parametrize("frames", [1, 5])
def test_staged_tokens_equal_generates_both_ways(frames: int, batch_frames: bool) -> None:
    model = _build(frames=frames, batch_frames=batch_frames)
    staged = run_request(model, max_new_tokens=TOKENS)
    inputs = model.prepare(model.load())
    features = model.encode_vision(inputs)
    assert staged.shape == (1, TOKENS)
    assert torch.equal(staged, model.generate(inputs, features, max_new_tokens=TOKENS))
    assert torch.equal(staged, model.generate(inputs, None, max_new_tokens=TOKENS))
    assert torch.equal(staged, run_request(model, max_new_tokens=TOKENS, couple=True))


def test_the_comparison_can_fail_tokens_depend_on_the_pictures(data: Path) -> None:
    synthetic, recorded = _build(), _build(input=data / "moving_edge.npy")
    one, other = (run_request(model, max_new_tokens=TOKENS) for model in (synthetic, recorded))
    assert not torch.equal(one, other)
    assert len(set(one[0].tolist())) > TOKENS // 3


@pytest.mark.parametrize(
    ("options", "couple", "calls"),
    [({"frames": 1}, False, 1), ({}, False, 5), ({"batch_frames": True}, False, 1), ({}, True, 10)],
)
def test_the_encoder_runs_once_per_frame_unless_coupled(options: Any, couple: bool, calls: int) -> None:
    model = _build(**options)
    with EncoderWatch(model.encoders) as watch:
        run_request(model, max_new_tokens=2, couple=couple)
    assert watch.calls == calls
    with EncoderWatch(model.encoders) as watch:
        model.encode_vision(model.prepare(model.load()))
    assert watch.calls == model.expected_encoder_calls(model.prepare(model.load()))


class _Diary:
    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def request(self) -> Any:
        self.lines.append("request")
        yield
        self.lines.append("end")

    @contextmanager
    def stage(self, stage: str, index: int | None = None) -> Any:
        self.lines.append(stage if index is None else f"{stage}#{index}")
        yield


def test_the_hook_sees_every_stage_in_order() -> None:
    diary = _Diary()
    run_request(_build(), max_new_tokens=3, hook=diary)
    stages = ["load", "preprocess", "vision", "prefill", "decode#1", "decode#2"]
    assert diary.lines == ["request", *stages, "end"]


def test_a_folder_of_pictures_is_a_sample(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(np.full((48, 64, 3), 80 * number, dtype=np.uint8)).save(tmp_path / f"{number}.png")
    model = _build(input=tmp_path)
    shape = model.shape(model.prepare(model.load()))
    assert (shape.frames, shape.visual_tokens, shape.prompt_tokens) == (3, 3 + 577, 64)
    with pytest.raises(InputError, match="holds 3 pictures, 4 are wanted"):
        _build(input=tmp_path, frames=4)


def test_shapes_are_the_published_ones() -> None:
    model = _build()
    shape = model.shape(model.prepare(model.load()))
    assert (shape.frames, shape.visual_tokens) == (5, 582)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": "what?"}, "needs a checkpoint"),
        ({"prompt_tokens": 2000}, "do not fit"),
        ({"input": Path("/nowhere.npy")}, "no such file"),
        ({"checkpoint": Path("/nowhere")}, "not a checkpoint folder"),
    ],
)
def test_options_that_cannot_be_right_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        _build(**options)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ModelError, match="choose from eventgpt, llava15, video_llava, or hf:FOLDER"):
        find("gpt-9")
    with pytest.raises(ModelError, match="choose from 7b, tiny"):
        find("eventgpt").build(ModelOptions(size="huge", device="cpu", dtype="float32"))
    assert all(entry.name == name for name, entry in MODELS.items())


def test_seeds_decide_the_answer() -> None:
    one, same, other = (run_request(_build(seed=seed), max_new_tokens=8) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)

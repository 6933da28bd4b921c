"""LLaVA-1.5 and Video-LLaVA: the staged run is the model's own, and each picture is encoded once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.checkpoints import write_tokenizer
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlavaConfig, LlavaForConditionalGeneration

from model.configs import text_config, vision_config
from model.errors import CheckpointError, InputError, ModelError
from model.registry import ModelOptions, find
from model.sizes import TextSize, VisionSize
from model.staged import run_request
from model.vlm.adapter import StagedVLM
from tracer.recording.encoders import EncoderWatch

TOKENS = 8
NAMES = ("llava15", "video_llava")


def _build(name: str, **options: Any) -> StagedVLM:
    built = find(name).build(ModelOptions(**{"size": "tiny", "device": "cpu", "dtype": "float32", **options}))
    assert isinstance(built, StagedVLM)
    return built


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_staged_tokens_equal_the_stock_generate(name: str, batch_size: int) -> None:
    model = _build(name, batch_size=batch_size)
    with EncoderWatch(model.encoders) as watch:
        staged = run_request(model, max_new_tokens=TOKENS)
    assert watch.calls == 1
    inputs = model.prepare(model.load())
    features = model.encode_vision(inputs)
    assert staged.shape == (batch_size, TOKENS)
    assert torch.equal(staged, model.generate(inputs, features, max_new_tokens=TOKENS))
    with EncoderWatch(model.encoders) as watch:
        assert torch.equal(staged, model.generate(inputs, None, max_new_tokens=TOKENS))
        assert torch.equal(staged, run_request(model, max_new_tokens=TOKENS, couple=True))
    assert watch.calls == 3
    # The comparison can fail: an answer depends on its own picture and prompt.
    assert len({tuple(row) for row in staged.tolist()}) == batch_size


@pytest.mark.parametrize("name", NAMES)
def test_steps_over_a_static_cache_yield_the_models_own_tokens(name: str) -> None:
    model = _build(name, decode="static", new_tokens=TOKENS)
    assert model.describe()["decode"] == "static"
    diary: list[None] = []
    inputs = model.prepare(model.load())
    features = model.encode_vision(inputs)
    with EncoderWatch(model.encoders) as watch:
        answer = model.answer(inputs, features, max_new_tokens=TOKENS, next_step=lambda: diary.append(None))
        assert watch.calls == 0
        assert torch.equal(model.answer(inputs, None, max_new_tokens=TOKENS, next_step=lambda: None), answer)
        assert watch.calls == 1
    assert len(diary) == TOKENS - 1
    assert torch.equal(answer, model.generate(inputs, features, max_new_tokens=TOKENS))


def test_steps_over_a_static_cache_end_where_the_models_own_do(tmp_path: Path) -> None:
    network = _write_checkpoint(tmp_path)
    free = _build("llava15", checkpoint=tmp_path, prompt="what is this")
    inputs = free.prepare(free.load())
    stop = free.generate(inputs, None, max_new_tokens=TOKENS)[0, 2].item()
    network.generation_config.eos_token_id = [stop, WORDS - 1]
    network.generation_config.save_pretrained(tmp_path)
    model = _build("llava15", checkpoint=tmp_path, prompt="what is this", decode="static", new_tokens=TOKENS)
    answer = run_request(model, max_new_tokens=TOKENS)
    assert answer.shape[1] <= 3
    assert torch.equal(answer, model.generate(inputs, None, max_new_tokens=TOKENS))


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_gives_each_sequence_its_own_answer(name: str) -> None:
    batched = run_request(_build(name, batch_size=2), max_new_tokens=TOKENS)
    alone = [run_request(_build(name), max_new_tokens=TOKENS)]
    # The second of a batch has the next seed; the weights keep theirs.
    second = _build(name, batch_size=2)
    second._batches = ((second._batches[0][1],),)
    alone.append(run_request(second, max_new_tokens=TOKENS))
    assert torch.equal(batched, torch.cat(alone))


@pytest.mark.parametrize(("name", "frames", "visual_tokens"), [("llava15", 1, 576), ("video_llava", 8, 2056)])
def test_shapes_are_the_published_ones(name: str, frames: int, visual_tokens: int) -> None:
    model = _build(name)
    shape = model.shape(model.prepare(model.load()))
    assert (shape.frames, shape.visual_tokens, shape.prompt_tokens) == (frames, visual_tokens, 64)


@pytest.mark.parametrize(("name", "parameters"), [("llava15", 7.06e9), ("video_llava", 7.37e9)])
def test_the_published_sizes_have_the_published_parameters(name: str, parameters: float) -> None:
    from importlib import import_module

    family = import_module(f"model.{name}.adapter").FAMILY
    with torch.device("meta"):
        network = family.network(family.config(family.sizes["7b"]))
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(parameters, rel=0.002)


class _Diary:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def request(self) -> Any:
        return self.stage("request")

    def stage(self, stage: str, index: int | None = None) -> Any:
        from contextlib import nullcontext

        self.lines.append(stage if index is None else f"{stage}#{index}")
        return nullcontext()


@pytest.mark.parametrize("couple", [False, True])
def test_the_models_own_loop_is_cut_at_each_step(couple: bool) -> None:
    diary = _Diary()
    run_request(_build("llava15"), max_new_tokens=3, hook=diary, couple=couple)
    assert diary.lines == ["request", "load", "preprocess", "vision", "prefill", "decode#1", "decode#2"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch_size", [1, 2])
def test_flops_of_every_stage_equal_torchs_count(name: str, batch_size: int) -> None:
    model = _build(name, batch_size=batch_size)
    for part in (model.network, *model.encoders, model.network.model.language_model):
        part.set_attn_implementation("eager")
    stages: list[int] = []
    with FlopCounterMode(display=False) as counter:

        class Cut(_Diary):
            def stage(self, stage: str, index: int | None = None) -> Any:
                # Rotary angles are a matrix product in some releases; they are no part of the model.
                rotary = sum(
                    sum(counts.values())
                    for module, counts in counter.get_flop_counts().items()
                    if module.endswith("rotary_emb")
                )
                stages.append(counter.get_total_flops() - rotary)
                return super().stage(stage, index)

        run_request(model, max_new_tokens=3, hook=Cut())
        Cut().stage("end")
    _, _, _, vision, prefill, first, second, end = stages
    cost = model.cost(model.shape(model.prepare(model.load())), new_tokens=3)
    assert cost is not None
    assert [cost.vision.flops, cost.prefill.flops] == [prefill - vision, first - prefill]
    assert [step.flops for step in cost.decode] == [second - first, end - second]


SMALL_TEXT = TextSize(layers=2, hidden=48, mlp=96, heads=4, kv_heads=4, vocabulary=64, positions=512)
SMALL_VISION = VisionSize(layers=2, hidden=32, mlp=64, heads=2, image=28, patch=14)
WORDS = 10


def _write_checkpoint(folder: Path, **changes: Any) -> LlavaForConditionalGeneration:
    torch.manual_seed(0)
    network = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision_config(SMALL_VISION),
            text_config=text_config(SMALL_TEXT, bos_token_id=1, eos_token_id=2, pad_token_id=0),
            image_token_id=WORDS,
        )
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.3)
    network.save_pretrained(folder)
    write_tokenizer(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    added = {"added_tokens_decoder": {str(WORDS): {"content": "<image>", "special": True}}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | added))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    return network


def test_a_checkpoint_folder_answers_its_own_prompt(tmp_path: Path) -> None:
    network = _write_checkpoint(tmp_path)
    model = _build("llava15", checkpoint=tmp_path, prompt="what is this")
    assert model.describe()["weights"] == "checkpoint"
    loaded = dict(model.network.named_parameters())
    for name, parameter in network.named_parameters():
        assert torch.equal(loaded[name], parameter), name
    inputs = model.prepare(model.load())
    assert inputs.input_ids[0].tolist().count(WORDS) == 4  # a picture of 28 pixels has four patches
    staged = run_request(model, max_new_tokens=TOKENS)
    assert torch.equal(staged, model.generate(inputs, None, max_new_tokens=TOKENS))


def test_a_later_sample_that_does_not_fit_the_decoder_is_named(tmp_path: Path) -> None:
    checkpoint, samples = tmp_path / "checkpoint", tmp_path / "samples"
    _write_checkpoint(checkpoint)
    samples.mkdir()
    Image.fromarray(np.zeros((28, 28, 3), dtype=np.uint8)).save(samples / "0.png")
    entries = [
        {"id": name, "image": "0.png", "conversations": [{"from": "human", "value": question}]}
        for name, question in (("short", "what is this"), ("long", "what is this " * 300))
    ]
    (samples / "all.json").write_text(json.dumps(entries))
    with pytest.raises(InputError, match="^long: 4 visual and .* do not fit the decoder's 512 positions"):
        _build("llava15", checkpoint=checkpoint, dataset=samples)


def test_ragged_prompts_are_padded_on_the_left_and_answer_as_alone(tmp_path: Path) -> None:
    checkpoint, samples = tmp_path / "checkpoint", tmp_path / "samples"
    _write_checkpoint(checkpoint)
    samples.mkdir()
    entries = []
    for number, question in enumerate(("<image>\nwhat is this", "<image>\nthis")):
        Image.fromarray(np.full((28, 28, 3), 90 * number, dtype=np.uint8)).save(samples / f"{number}.png")
        turns = [{"from": "human", "value": question}, {"from": "gpt", "value": "?"}]
        entries.append({"image": f"{number}.png", "conversations": turns})
    (samples / "all.json").write_text(json.dumps(entries))
    together = _build("llava15", checkpoint=checkpoint, dataset=samples, batch_size=2)
    assert together.samples == ["0.png, 1.png"]
    inputs = together.prepare(together.load())
    assert inputs.attention_mask.tolist()[1][:2] == [0, 0]
    staged = run_request(together, max_new_tokens=TOKENS)
    static = _build("llava15", checkpoint=checkpoint, dataset=samples, batch_size=2, decode="static", new_tokens=TOKENS)
    for _ in range(2):  # the cache is used again
        assert torch.equal(run_request(static, max_new_tokens=TOKENS), staged)
    assert torch.equal(staged, together.generate(inputs, None, max_new_tokens=TOKENS))
    alone = _build("llava15", checkpoint=checkpoint, dataset=samples)
    for number, row in enumerate(staged):
        answer = run_request(alone, number, max_new_tokens=TOKENS)[0]
        assert torch.equal(row[: len(answer)], answer)


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    def build() -> None:
        _build("llava15", checkpoint=tmp_path)

    with pytest.raises(CheckpointError, match="needs it"):
        build()
    _write_checkpoint(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=f"no <image> with the id {WORDS}"):
        build()
    (tmp_path / "model.safetensors").write_bytes(b"not one")
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        build()
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        build()
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(CheckpointError, match="not an object"):
        build()


def test_a_checkpoint_that_lacks_a_tensor_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    _write_checkpoint(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    dropped = next(name for name in tensors if "projector" in name)
    del tensors[dropped]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="no tensor named .*projector"):
        _build("llava15", checkpoint=tmp_path)


def test_a_quantised_checkpoint_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    _write_checkpoint(tmp_path, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CheckpointError, match=r"bitsandbytes and accelerate is missing; pip install '\.\[quantised\]'"):
        _build("llava15", checkpoint=tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": "what?"}, "needs a checkpoint"),
        ({"prompt_tokens": 4000}, "do not fit"),
        ({"size": "huge"}, "choose from 7b, tiny"),
        ({"decode": "graph"}, "--decode static runs anywhere"),
        ({"input": Path("/nowhere.png")}, "no such file"),
    ],
)
def test_options_that_cannot_be_right_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        _build("llava15", **options)


def test_a_picture_is_a_sample_of_either(tmp_path: Path) -> None:
    Image.fromarray(np.full((48, 64, 3), 80, dtype=np.uint8)).save(tmp_path / "one.png")
    for name, frames in (("llava15", 1), ("video_llava", 8)):
        model = _build(name, input=tmp_path / "one.png")
        assert model.shape(model.prepare(model.load())).frames == frames
        assert model.samples == ["one.png"]
    with pytest.raises(InputError, match="holds 1 pictures, 8 are wanted"):
        _build("video_llava", input=tmp_path)

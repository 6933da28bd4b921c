"""Any model of transformers from a folder: its own parts, its own generate, the same tokens either way."""

from __future__ import annotations

import importlib.util
import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from support.checkpoints import write_tokenizer
from support.folders import CONFIGS, IMAGE, MLLAMA, SIGLIP, TEXT, build_folder, write_folder

from model.decoding.answers import require_plain
from model.decoding.static import StaticDecoder
from model.errors import CheckpointError, InputError, ModelError
from model.extras import install
from model.hf.adapter import StagedFolder
from model.staged import run_request
from tracer.recording.encoders import EncoderWatch

TOKENS = 6


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("model_type", CONFIGS)
def test_a_configuration_alone_is_split_and_verified(tmp_path: Path, model_type: str, batch_size: int) -> None:
    config, visual_tokens = CONFIGS[model_type]
    model = build_folder(write_folder(tmp_path, model_type, config), batch_size=batch_size)
    described = model.describe()
    assert (described["name"], described["weights"]) == (model_type, "random")
    assert "missing_stages" not in described
    assert {"vision", "language"} <= set(described["modules"])
    inputs = model.prepare(model.load())
    shape = model.shape(inputs)
    assert (shape.batch_size, shape.visual_tokens) == (batch_size, visual_tokens)
    with EncoderWatch(model.encoders) as watch:
        staged = run_request(model, max_new_tokens=TOKENS)
    assert watch.calls == model.expected_encoder_calls(inputs) == 1
    assert staged.shape == (batch_size, TOKENS)
    features = model.encode_vision(inputs)
    with EncoderWatch(model.encoders) as watch:
        assert torch.equal(staged, model.generate(inputs, features, max_new_tokens=TOKENS))
    assert watch.calls == 0
    assert torch.equal(staged, model.generate(inputs, None, max_new_tokens=TOKENS))


@pytest.mark.parametrize("model_type", ["llava", "qwen2_vl", "paligemma"])
def test_steps_over_a_static_cache_yield_the_models_own_tokens(tmp_path: Path, model_type: str) -> None:
    folder = write_folder(tmp_path, model_type, CONFIGS[model_type][0])
    model = build_folder(folder, batch_size=2, decode="static", new_tokens=TOKENS)
    assert model.describe()["decode"] == "static"
    inputs = model.prepare(model.load())
    stock = model.generate(inputs, model.encode_vision(inputs), max_new_tokens=TOKENS)
    for _ in range(2):  # the cache is used again
        with EncoderWatch(model.encoders) as watch:
            assert torch.equal(run_request(model, max_new_tokens=TOKENS), stock)
        assert watch.calls == 1


@pytest.mark.parametrize(("model_type", "layers"), [("gemma3", "StaticSliding"), ("lfm2_vl", "LinearAttention")])
def test_a_cache_that_is_not_full_attentions_in_each_layer_is_refused_for_static_steps(
    tmp_path: Path, model_type: str, layers: str
) -> None:
    with pytest.raises(ModelError, match=f"^--decode static: the cache of .*{layers}.*; --decode eager takes it$"):
        build_folder(write_folder(tmp_path, model_type, CONFIGS[model_type][0]), decode="static", new_tokens=TOKENS)


@pytest.mark.parametrize(
    ("told", "message"), [({"repetition_penalty": 1.3}, "repetition_penalty"), ({"num_beams": 1}, None)]
)
def test_what_a_generation_configuration_asks_for_beside_the_likeliest_token_is_not_left_out(
    tmp_path: Path, told: dict[str, Any], message: str | None
) -> None:
    model = build_folder(write_folder(tmp_path, "llava", CONFIGS["llava"][0]))
    model.network.generation_config.update(**told)
    with nullcontext() if message is None else pytest.raises(ModelError, match=f"asks for {message}, and"):
        require_plain(model.network, "static")


def test_a_step_that_fails_over_a_static_cache_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TypeError("no such argument\nat all")

    monkeypatch.setattr(StaticDecoder, "_forward", fail)
    with pytest.raises(ModelError, match="makes no step over a static cache .TypeError: no such argument at all"):
        build_folder(write_folder(tmp_path, "llava", CONFIGS["llava"][0]), decode="static", new_tokens=TOKENS)


@pytest.mark.parametrize("model_type", CONFIGS)
def test_the_features_that_are_given_are_the_ones_that_count(tmp_path: Path, model_type: str) -> None:
    """Equal tokens would prove nothing if the model looked at its pictures all the same, or at none."""
    model = build_folder(write_folder(tmp_path, model_type, CONFIGS[model_type][0]), batch_size=2)
    inputs = model.prepare(model.load())
    features = model.encode_vision(inputs)
    with torch.no_grad():
        one = _logits(model, inputs, features)
        assert torch.equal(one, _logits(model, inputs, None))
        changed = _negated(features)
        for name, value in vars(features).items() if hasattr(features, "keys") else ():
            if not hasattr(changed, name):  # put there by the model, where the output's type has no such field
                setattr(changed, name, _negated(value))
        assert not torch.equal(one, _logits(model, inputs, changed))


def _negated(features: Any) -> Any:
    return torch.utils._pytree.tree_map(lambda leaf: -leaf if isinstance(leaf, torch.Tensor) else leaf, features)


def _logits(model: StagedFolder, inputs: Any, features: Any) -> torch.Tensor:
    from model.hf.parts import features_given

    with nullcontext() if features is None else features_given(model._parts, features):
        output = model.network.generate(
            **inputs.given, do_sample=False, max_new_tokens=1, output_logits=True, return_dict_in_generate=True
        )
    logits: torch.Tensor = output.logits[0]
    return logits


def test_a_model_that_cannot_be_split_says_which_stage_is_missing(tmp_path: Path) -> None:
    model = build_folder(write_folder(tmp_path, "mllama", MLLAMA))
    assert model.describe()["missing_stages"] == {"vision": "it has no get_image_features"}
    inputs = model.prepare(model.load())
    assert model.encode_vision(inputs) is None
    with EncoderWatch(model.encoders) as watch:
        staged = run_request(model, max_new_tokens=TOKENS)
    assert watch.calls == model.expected_encoder_calls(inputs) == 1
    assert torch.equal(staged, model.generate(inputs, None, max_new_tokens=TOKENS))


def test_a_model_that_encodes_whatever_it_is_given_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model.hf import adapter

    monkeypatch.setattr(adapter, "features_given", lambda *_: nullcontext())
    model = build_folder(write_folder(tmp_path, "llava", CONFIGS["llava"][0]))
    assert "although get_image_features" in model.describe()["missing_stages"]["vision"]


def test_steps_are_cut_where_generate_prepares_them(tmp_path: Path) -> None:
    model = build_folder(write_folder(tmp_path, "gemma3", CONFIGS["gemma3"][0]))
    inputs = model.prepare(model.load())
    queries: list[list[int]] = [[]]

    def lengths(_: Any, arguments: Any, options: dict[str, Any]) -> None:
        given = options.get("input_ids") if options.get("input_ids") is not None else options["inputs_embeds"]
        queries[-1].append(given.shape[1])

    model.network.register_forward_pre_hook(lengths, with_kwargs=True)
    model.answer(inputs, model.encode_vision(inputs), max_new_tokens=4, next_step=lambda: queries.append([]))
    assert queries == [[inputs.input_ids.shape[1]], [1], [1], [1]]
    assert "prepare_inputs_for_generation" not in vars(model.network)


def _write_checkpoint(folder: Path) -> transformers.LlavaForConditionalGeneration:
    """A tiny LLaVA with weights, tokenizer and processor; the word that stands for a picture is added."""
    config = {**CONFIGS["llava"][0], "image_token_index": 10}
    torch.manual_seed(0)
    network = transformers.LlavaForConditionalGeneration(transformers.LlavaConfig(**config))
    network.save_pretrained(folder)
    write_tokenizer(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {"added_tokens_decoder": {"10": {"content": "<image>", "special": True}}, "pad_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    pictures = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
    processor = transformers.LlavaProcessor(
        pictures(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}),
        transformers.AutoTokenizer.from_pretrained(folder),
        patch_size=14,
        vision_feature_select_strategy="default",
        image_token="<image>",
        num_additional_image_tokens=1,
    )
    processor.save_pretrained(folder)
    return network


def test_a_checkpoint_answers_through_its_own_processor(tmp_path: Path) -> None:
    network = _write_checkpoint(tmp_path)
    model = build_folder(tmp_path, prompt="what is this", batch_size=2)
    assert model.describe()["weights"] == "checkpoint"
    assert torch.equal(model.network.lm_head.weight, network.lm_head.weight)
    inputs = model.prepare(model.load())
    assert model.shape(inputs).visual_tokens == 16
    staged = run_request(model, max_new_tokens=TOKENS)
    assert torch.equal(staged, model.generate(inputs, None, max_new_tokens=TOKENS))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"frames": 3}, InputError, "one picture for each sequence"),
        ({"prompt": "what?"}, InputError, "needs a processor"),
    ],
)
def test_options_that_cannot_be_right_are_refused(
    tmp_path: Path, options: Any, error: type[ModelError], message: str
) -> None:
    with pytest.raises(error, match=message):
        build_folder(write_folder(tmp_path, "llava", CONFIGS["llava"][0]), **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "needs it"),
        ("{", "not JSON"),
        (
            '{"model_type": "llama"}',
            "llama is no image-text.* but a model of text alone; .* --auto -- python",
        ),
        (
            '{"model_type": "phi4_multimodal"}',
            "phi4_multimodal is no image-text.* record --auto -- python",
        ),
        ('{"model_type": "clip"}', "clip is no image-text-to-text model of transformers; a script"),
        ('{"model_type": "no such thing"}', "no image-text-to-text model"),
        ('{"auto_map": {"AutoConfig": "code.Evil"}, "model_type": "evil"}', "no image-text-to-text model"),
    ],
)
def test_folders_that_cannot_be_right_are_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=message):
        build_folder(tmp_path)


def test_a_model_that_only_its_processor_can_feed_says_so(tmp_path: Path) -> None:
    tiles = {**CONFIGS["llava"][0], "vision_config": SIGLIP, "image_token_id": IMAGE}
    with pytest.raises(InputError, match="tiles as its processor says; put its processor's files .* --auto -- python"):
        build_folder(write_folder(tmp_path, "llava_onevision", tiles))


def test_a_model_whose_pictures_have_no_place_in_the_prompt_says_so(tmp_path: Path) -> None:
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {**small, "image_size": 56, "patch_size": 14}
    write_folder(tmp_path, "blip", {"text_config": {**small, "vocab_size": 300}, "vision_config": vision})
    with pytest.raises(InputError) as error:
        build_folder(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}: blip: its configuration has no image_token_id; put its")


def test_a_model_that_generates_no_text_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = torch.nn.Linear(1, 1)
    monkeypatch.setattr(transformers.AutoModelForImageTextToText, "from_config", lambda *_: silent)
    with pytest.raises(CheckpointError, match="llava generates no text; a script of your own"):
        build_folder(write_folder(tmp_path, "llava", CONFIGS["llava"][0]))


def test_a_feature_call_that_wants_what_only_a_processor_makes_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wanting(self: Any, pixel_values: torch.Tensor, crops: torch.Tensor, strategy: str = "", **_: Any) -> None: ...

    monkeypatch.setattr(transformers.LlavaModel, "get_image_features", wanting)
    with pytest.raises(
        InputError, match="llava: its pictures also come with crops, which its processor makes; put its"
    ):
        build_folder(write_folder(tmp_path, "llava", CONFIGS["llava"][0]))


def test_a_damaged_processor_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, "llava", CONFIGS["llava"][0])
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(CheckpointError, match="processor cannot be loaded"):
        build_folder(tmp_path)


def test_what_looks_like_an_id_of_the_hub_is_not_fetched() -> None:
    with pytest.raises(CheckpointError, match=r"hf download Qwen/Qwen2.5-VL-3B-Instruct --local-dir FOLDER"):
        build_folder(Path("Qwen/Qwen2.5-VL-3B-Instruct"))


def test_a_processor_that_needs_a_missing_package_names_its_extra(tmp_path: Path) -> None:
    if importlib.util.find_spec("torchvision") is not None:
        pytest.skip("torchvision is here")
    write_folder(tmp_path, "qwen2_5_vl", CONFIGS["qwen2_5_vl"][0])
    write_tokenizer(tmp_path)
    settings = {"image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError) as error:
        build_folder(tmp_path)
    assert str(error.value) == f"{tmp_path}: its processor needs torchvision, which is missing: {install('vision')}"


def test_a_tower_out_of_a_missing_package_names_its_extra(tmp_path: Path) -> None:
    if importlib.util.find_spec("timm") is not None:
        pytest.skip("timm is here")
    tower = {"model_type": "timm_wrapper", "architecture": "vit_pe_core_large_patch14_336"}
    write_folder(tmp_path, "perception_lm", {"text_config": {**TEXT, "model_type": "llama"}, "vision_config": tower})
    with pytest.raises(
        CheckpointError, match=re.escape(f"its network needs timm, which is missing: {install('vision')}")
    ):
        build_folder(tmp_path)


def test_no_such_folder() -> None:
    with pytest.raises(CheckpointError, match="not a checkpoint folder"):
        build_folder(Path("/nowhere"))

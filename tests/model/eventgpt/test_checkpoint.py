from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.checkpoints import SMALL, WORDS, small_network, write_checkpoint, write_shards

from model.errors import CheckpointError
from model.eventgpt.adapter import StagedEventGPT
from model.eventgpt.builder import build_staged
from model.eventgpt.checkpoint import published_name, read_size
from model.eventgpt.network import EVENT_TOKEN_INDEX
from model.eventgpt.prompt import TEMPLATE
from model.registry import ModelOptions


def _build(folder: Path, **more: Any) -> StagedEventGPT:
    return build_staged(ModelOptions(size="", device="cpu", dtype="float32", checkpoint=folder, **more))


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_a_folder_in_the_published_layout_loads_every_tensor(tmp_path: Path, suffix: str) -> None:
    network = small_network(seed=3)
    model = _build(write_checkpoint(tmp_path, network, suffix=suffix))
    loaded = dict(model.network.named_parameters())
    for name, parameter in network.named_parameters():
        assert torch.equal(loaded[name], parameter), name
    assert model.describe()["weights"] == "checkpoint"


def test_the_published_names_have_the_towers_vision_model_level() -> None:
    names = {published_name(name) for name, _ in small_network().named_parameters()}
    tower = {name for name in names if "visual_tower" in name}
    assert all(name.startswith("model.visual_tower.visual_tower.vision_model.") for name in tower)
    assert {published_name(name) for name in names} == names


def test_the_prompt_goes_through_the_template_and_the_folders_tokenizer(tmp_path: Path) -> None:
    model = _build(write_checkpoint(tmp_path, small_network()), prompt="what is this")
    inputs = model.prepare(model.load())
    ids = inputs.input_ids[0].tolist()
    assert ids[0] == WORDS.index("<s>")
    assert ids.count(EVENT_TOKEN_INDEX) == 1
    end = ["<unk>"] * 3  # <, ev_end and >: text to this tokenizer
    assert ids[ids.index(EVENT_TOKEN_INDEX) + 1 :] == [
        WORDS.index(word) for word in (*end, "what", "is", "this", "ASSISTANT", ":")
    ]


def test_the_template_is_that_of_eventgpts_own_code() -> None:
    system, question = TEMPLATE.split(" USER: ")
    assert system.startswith("A chat between a curious human and an artificial intelligence assistant. ")
    assert system.endswith(" answers to the human's questions.")
    assert question == "<ev_start><event><ev_end>\n{prompt} ASSISTANT:"


def test_the_events_marks_are_tokens_where_the_configuration_says_so(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, small_network())
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"mm_use_im_start_end": True}))
    model = _build(folder, prompt="what")
    ids = model.prepare(model.load()).input_ids[0].tolist()
    place = ids.index(EVENT_TOKEN_INDEX)
    # Behind the tokenizer's words, <ev_patch> first, as EventGPT's own code adds them.
    assert (ids[place - 1], ids[place + 1]) == (len(WORDS) + 1, len(WORDS) + 2)


def test_a_tokenizer_with_more_words_than_the_network_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, small_network())
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"]["what"] = 64
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="gives the id 64, beyond config.json's vocab_size 64"):
        _build(folder, prompt="what")


def test_answers_end_at_the_stop_token(tmp_path: Path) -> None:
    from model.staged import run_request

    network = small_network()
    with torch.no_grad():  # a head that always says </s>
        network.lm_head.weight.zero_()
        network.model.norm.weight.fill_(1.0)
    folder = write_checkpoint(tmp_path, network)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"eos_token": "<unk>"}))
    model = _build(folder)
    tokens = run_request(model, max_new_tokens=8)
    assert tokens.tolist() == [[0]]  # all logits equal: the first id wins, and it is the stop token
    inputs = model.prepare(model.load())
    assert torch.equal(tokens, model.generate(inputs, model.encode_vision(inputs), max_new_tokens=8))


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for shard in folder.glob("*.safetensors") for name, tensor in load_file(shard).items()}


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, small_network())
    tensors = _tensors(folder)
    del tensors["model.feature_adaptor.bias"]
    write_shards(folder, tensors)
    with pytest.raises(CheckpointError, match=r"no tensor named model\.feature_adaptor\.bias"):
        _build(folder)


def test_a_misshapen_tensor_is_named_with_both_shapes(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, small_network())
    tensors = _tensors(folder)
    tensors["model.norm.weight"] = torch.zeros(7)
    write_shards(folder, tensors)
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight has the shape \[7\].* makes it \[48\]"):
        _build(folder)


def test_old_exports_buffers_are_passed_over(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, small_network())
    tensors = _tensors(folder)
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(6)
    write_shards(folder, tensors)
    _build(folder)


def test_without_a_tower_folder_the_published_tower_is_meant(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, small_network())
    for tower in ("openai/clip-vit-large-patch14-336", "../elsewhere", "/etc"):
        config = json.loads((folder / "config.json").read_text()) | {"mm_visual_tower": tower}
        (folder / "config.json").write_text(json.dumps(config))
        assert read_size(folder).vision.layers == 24
    assert read_size(folder).text == SMALL.text


def test_quantised_weights_are_refused_before_they_are_taken_for_others(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, small_network())
    config = json.loads((folder / "config.json").read_text()) | {"quantization_config": {"load_in_4bit": True}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="at full precision alone"):
        _build(folder)


class _Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("owned",)


def _no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _bad_config(folder: Path) -> None:
    (folder / "config.json").write_text("{]")


def _no_layers(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"num_hidden_layers": "two"}
    (folder / "config.json").write_text(json.dumps(config))


def _no_weights(folder: Path) -> None:
    for path in folder.glob("*.safetensors*"):
        path.unlink()


def _shard_outside(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"lm_head.weight": "../../secret.safetensors"}}))


def _shard_missing(folder: Path) -> None:
    next(folder.glob("*-00002-of-*.safetensors")).unlink()


def _damaged_shard(folder: Path) -> None:
    next(folder.glob("*-00001-of-*.safetensors")).write_bytes(b"nonsense")


def _unsafe_bin(folder: Path) -> None:
    _no_weights(folder)
    torch.save({"lm_head.weight": _Attack()}, folder / "pytorch_model.bin")


def _no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_no_config, "config.json: No such file"),
        (_bad_config, "config.json: not JSON"),
        (_no_layers, "num_hidden_layers is 'two'"),
        (_no_weights, "no weights here"),
        (_shard_outside, "outside the folder"),
        (_shard_missing, "which is not there"),
        (_damaged_shard, "damaged or unsafe weights"),
        (_unsafe_bin, "damaged or unsafe weights"),
        (_no_tokenizer, "no usable tokenizer"),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], damage: Any, message: str
) -> None:
    folder = write_checkpoint(tmp_path, small_network())
    damage(folder)
    with pytest.raises(CheckpointError, match=message) as error:
        _build(folder)
    assert "\n" not in str(error.value)
    assert "owned" not in capfd.readouterr().out


def test_a_single_file_without_index_loads(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, small_network())
    tensors = _tensors(folder)
    _no_weights(folder)
    save_file(tensors, folder / "model.safetensors")
    _build(folder)

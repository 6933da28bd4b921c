"""Models of folders that draft and check: whatever their caches keep and however they count positions."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.folders import CONFIGS, MLLAMA, build_folder, write_folder
from support.pairs import built

from model.decoding.caches import NAME
from model.decoding.passes import CachedPasses
from model.errors import ModelError
from model.speculative.pair import SCHEDULES, Speculating, SpeculativePair

TOKENS = 13
# Rotary positions of several dimensions, windows shorter than the prompt, convolutions that remember a few positions.
WINDOW = {**CONFIGS["gemma3"][0], "text_config": {**CONFIGS["gemma3"][0]["text_config"], "sliding_window": 8}}
FOLDERS = {
    "qwen2_vl": CONFIGS["qwen2_vl"][0], "gemma3": WINDOW, "lfm2_vl": CONFIGS["lfm2_vl"][0], "llava": CONFIGS["llava"][0]
}  # fmt: skip


def _model(folder: Path, name: str, batch_size: int = 1) -> Any:
    return build_folder(write_folder(folder, name, FOLDERS.get(name, MLLAMA)), batch_size=batch_size)


def _own(model: Any) -> torch.Tensor:
    inputs = model.prepare(model.load())
    tokens: torch.Tensor = model.generate(inputs, model.encode_vision(inputs), max_new_tokens=TOKENS)
    return tokens


@pytest.mark.parametrize(("name", "batch_size"), [("qwen2_vl", 2), ("gemma3", 1), ("lfm2_vl", 2), ("llava", 1)])
def test_rounds_with_a_folders_model_give_the_targets_own_tokens(tmp_path: Path, name: str, batch_size: int) -> None:
    folder, other = _model(tmp_path, name, batch_size), built("eventgpt", batch_size)
    for target, draft in ((folder, other), (other, folder)):
        how = Speculating(count=5, shares=(0.7,), schedule=SCHEDULES[batch_size - 1])
        assert torch.equal(SpeculativePair(target, draft, how).run(max_new_tokens=TOKENS), _own(target))


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folders_model_accepts_all_that_it_drafts_for_itself(tmp_path: Path, name: str) -> None:
    """What the draft's cache was cut back to is what a check sees."""
    model = _model(tmp_path, name)
    inputs = model.prepare(model.load())
    features = model.encode_vision(inputs)
    own = _own(model)
    passes = model.begin(inputs, features)
    assert torch.equal(passes.first, own[:, :1])
    wrong = (own[:, 1:5] + 1) % 290
    passes.extend(torch.cat([own[:, :1], wrong], dim=-1), keep=5)
    passes.roll_back(1)
    assert torch.equal(passes.extend(own[:, 1:8], keep=7), own[:, 2:9])
    passes.roll_back(8)  # all of them hold
    assert torch.equal(passes.extend(own[:, 8:10], keep=2), own[:, 9:11])


@pytest.mark.parametrize("as_draft", [False, True])
def test_a_model_that_looks_at_pictures_through_layers_of_their_own_is_refused(tmp_path: Path, as_draft: bool) -> None:
    pair = [_model(tmp_path, "mllama"), built("eventgpt")]
    with pytest.raises(ModelError, match="mllama can neither draft nor check a draft: its pictures lie behind cross-"):
        SpeculativePair(*(reversed(pair) if as_draft else pair), Speculating(count=2))


@pytest.mark.parametrize("croppable", [True, False])
def test_a_cache_with_a_state_that_sums_up_all_tokens_is_refused_at_once(croppable: bool) -> None:
    """Its crop would cut what can be cut, and leave that state."""
    cache = SimpleNamespace(is_croppable=croppable)

    def network(**_: Any) -> Any:
        return SimpleNamespace(**{NAME: cache}, logits=torch.zeros((1, 1, 4)))

    with nullcontext() if croppable else pytest.raises(ModelError, match=r"cannot be rolled back.*sums up all tokens"):
        CachedPasses(network, {}, torch.ones((1, 3)))

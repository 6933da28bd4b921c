"""A divided decoder is the whole one: its ranks, run side by side, have the whole's logits and tokens."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import distributed

from model.errors import ModelError
from model.parallel import fingerprint, share_of, split
from model.registry import ModelOptions, find
from model.sizes import TINY_TEXT
from model.staged import run_request
from tracer.recording.footprint import kv_token_bytes

TOKENS = 4


class Meeting:
    """Collectives of ranks that are threads: each puts in what it has, and takes what all made of it."""

    def __init__(self, ranks: int) -> None:
        self._ranks = ranks
        self._barrier = threading.Barrier(ranks, timeout=60)
        self._given: dict[int, torch.Tensor] = {}
        self._here = threading.local()

    def _exchange(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        self._given[self._here.rank] = tensor.clone()
        self._barrier.wait()
        found = [self._given[rank] for rank in range(self._ranks)]
        self._barrier.wait()
        return found

    def all_reduce(self, tensor: torch.Tensor) -> None:
        tensor.copy_(torch.stack(self._exchange(tensor)).sum(dim=0))

    def gather(self, whole: torch.Tensor, part: torch.Tensor) -> None:
        whole.copy_(torch.cat(self._exchange(part)))

    def run(self, models: list[Any]) -> list[torch.Tensor]:
        answers: dict[int, torch.Tensor] = {}

        def work(rank: int) -> None:
            self._here.rank = rank
            answers[rank] = run_request(models[rank], max_new_tokens=TOKENS)

        threads = [threading.Thread(target=work, args=(rank,)) for rank in range(self._ranks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [answers[rank] for rank in range(self._ranks)]


def build(name: str, **changes: Any) -> Any:
    return find(name).build(
        ModelOptions(**{"size": "tiny", "device": "cpu", "dtype": "float32", "frames": 1} | changes)
    )


@pytest.mark.parametrize("name", ["eventgpt", "llava15"])
def test_ranks_choose_the_tokens_of_the_whole_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_request(build(name), max_new_tokens=TOKENS)
    models = [build(name, rank=rank, ranks=2) for rank in range(2)]
    meeting = Meeting(2)
    monkeypatch.setattr(distributed, "all_reduce", meeting.all_reduce)
    monkeypatch.setattr(distributed, "all_gather_single", meeting.gather, raising=False)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    for answer in meeting.run(models):
        assert torch.equal(answer, whole)
    assert fingerprint(models[0].network) == fingerprint(models[1].network)
    assert fingerprint(models[0].network) != fingerprint(build(name, seed=1, rank=0, ranks=2).network)
    assert models[0].describe()["tensor_parallel"]["ranks"] == 2
    assert "tensor_parallel" not in build(name).describe()


def test_a_rank_does_its_share_of_the_work() -> None:
    whole, part = build("eventgpt"), build("eventgpt", rank=1, ranks=2)
    shape = whole.shape(whole.prepare(whole.load()))
    step, shared = (model.cost(shape, new_tokens=2).decode[0] for model in (whole, part))
    norms = 5 * TINY_TEXT.hidden * 4  # of two layers, and the last; whole on every rank
    assert kv_token_bytes(part.network, part.describe()["tensor_parallel"]) * 2 == kv_token_bytes(whole.network)
    assert shared.flops * 2 == step.flops
    assert shared.kv_bytes * 2 == step.kv_bytes
    assert (shared.weight_bytes - norms) * 2 == step.weight_bytes - norms


def test_an_output_layer_that_does_not_divide_stays_whole() -> None:
    assert share_of(TINY_TEXT, 4).vocabulary == 250
    odd = share_of(share_of(TINY_TEXT, 4), 4)
    assert odd.vocabulary == 250


@pytest.mark.parametrize(("ranks", "said"), [(3, "4 heads do not divide by 3"), (8, "4 heads do not divide by 8")])
def test_a_decoder_that_does_not_divide_is_refused(ranks: int, said: str) -> None:
    with pytest.raises(ModelError, match=f"--tensor-parallel {ranks}: {said}"):
        build("eventgpt", rank=0, ranks=ranks)


def test_weights_that_are_not_plain_are_refused() -> None:
    model = build("eventgpt")
    layer = model.network.get_decoder().layers[0].self_attn
    layer.q_proj = torch.nn.Sequential(layer.q_proj)
    with pytest.raises(ModelError, match="q_proj is a Sequential; only plain, unquantised weights"):
        split(model.network, TINY_TEXT, ModelOptions(size="tiny", device="cpu", dtype="float32", rank=0, ranks=2))

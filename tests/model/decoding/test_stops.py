"""Sequences of a batch that meet their stop token at different steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.checkpoints import WORDS
from support.questions import STOP, ask

from model.decoding.stops import NEVER, StopTest
from model.eventgpt.adapter import StagedEventGPT
from model.staged import run_request

TOKENS = 24
QUESTIONS = ["what is this", "what . is this USER"]


def _stock(model: StagedEventGPT, tokens: int = TOKENS) -> torch.Tensor:
    inputs = model.prepare(model.load())
    return model.generate(inputs, model.encode_vision(inputs), max_new_tokens=tokens)


def _one_stops_early(folder: Path, decode: str) -> StagedEventGPT:
    """A model whose two answers both stop, at different steps, before the limit."""
    options: Any = {"batch_size": 2, "decode": decode, "new_tokens": TOKENS}
    for seed in range(40):
        free = _stock(ask(folder, QUESTIONS, seed=seed, **options)).tolist()
        for stop in sorted(set(free[0]) & set(free[1])):
            first, second = (row.index(stop) for row in free)
            if first != second and max(first, second) < TOKENS - 1 and stop > len(WORDS):
                return ask(folder, QUESTIONS, seed=seed, stop=stop, **options)
    raise AssertionError("no small network stops so")


@pytest.mark.parametrize("decode", ["eager", "static"])
def test_a_batch_ends_when_every_sequence_has_stopped_and_pads_those_that_stopped_before(
    tmp_path: Path, decode: str
) -> None:
    model = _one_stops_early(tmp_path, decode)
    stock = _stock(model)
    stops = {row.index(STOP) for row in stock.tolist()}
    assert len(stops) == 2
    assert max(stops) == stock.shape[1] - 1 < TOKENS - 1
    assert torch.equal(run_request(model, max_new_tokens=TOKENS), stock)


def test_a_sequence_that_has_stopped_stays_so() -> None:
    test = StopTest(ids=torch.tensor([STOP]), pad_id=0)
    token, stopped = test(torch.tensor([[STOP], [5]]), None)
    assert (token.tolist(), stopped.tolist()) == ([[STOP], [5]], [[True], [False]])
    token, stopped = test(torch.tensor([[7], [6]]), stopped)
    assert (token.tolist(), stopped.tolist()) == ([[0], [6]], [[True], [False]])
    token, stopped = test(torch.tensor([[7], [STOP]]), stopped)
    assert (token.tolist(), stopped.tolist()) == ([[0], [STOP]], [[True], [True]])


def test_without_stop_tokens_nothing_is_read_back() -> None:
    token = torch.tensor([[STOP]])
    assert NEVER(token, None) == (token, None)

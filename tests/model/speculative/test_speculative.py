"""Rounds of drafting and checking give the target's own greedy answer, token for token, and the caches roll back."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from itertools import product
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.pairs import NAMES, built, pair, stock

from model.errors import ModelError
from model.registry import ModelOptions, find
from model.speculative.forced import CANDIDATES, draws, yielded
from model.speculative.loop import Answer
from model.speculative.mapping import SharedIds, known_part
from model.speculative.pair import OVERLAPPED, SCHEDULES, SEQUENTIAL, Speculating, SpeculativePair
from tracer.recording.passes.verify import deterministic_kernels

TOKENS = 9


class _Log:
    """Keeps the order of the stages, and what came of each check; another thread has a log of its own."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.checks: list[tuple[int, int]] = []
        self.passes: list[int] = []
        self.others: list[_Log] = []
        self.thread = 0

    def request(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def stage(self, stage: str, index: int | None = None) -> AbstractContextManager[Any]:
        self.stages.append(stage if index is None else f"{stage}#{index}")
        self.thread = get_ident()
        return nullcontext()

    def checked(self, drafted: int, accepted: int) -> None:
        self.checks.append((drafted, accepted))

    def passed(self, made: int) -> None:
        self.passes.append(made)

    def beside(self, device: torch.device) -> _Log:  # noqa: ARG002 -- the interface's
        self.others.append(_Log())
        return self.others[-1]


@pytest.mark.parametrize(("target", "draft"), list(product(NAMES, NAMES)))
def test_all_pairs_give_the_targets_own_tokens(target: str, draft: str) -> None:
    how = Speculating(count=3, schedule=SCHEDULES[len(target + draft) % 2])
    assert pair(target, draft, how).run(max_new_tokens=TOKENS).tolist() == stock(target, TOKENS)


@settings(max_examples=8)
@given(
    names=st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)),
    count=st.integers(1, 12),
    shares=st.one_of(st.just([]), st.lists(st.floats(0, 1), min_size=1, max_size=4)),
    schedule=st.sampled_from(SCHEDULES),
    batch_size=st.sampled_from([1, 3]),
    tokens=st.integers(1, TOKENS),
    seed=st.integers(0, 9),
)
def test_any_pair_count_acceptance_schedule_and_batch_gives_the_targets_own_tokens(
    names: tuple[str, str], count: int, shares: list[float], schedule: str, batch_size: int, tokens: int, seed: int
) -> None:
    how = Speculating(count=count, shares=tuple(shares), schedule=schedule, seed=seed)
    log = _Log()
    answer = pair(*names, how, batch_size=batch_size).run(max_new_tokens=tokens, hook=log)
    assert answer.tolist() == stock(names[0], tokens, batch_size)
    # Prefill yields one, and each check what it accepts and one more.
    assert 1 + sum(accepted + 1 for _, accepted in log.checks) == tokens
    assert all(0 <= accepted <= drafted <= count for drafted, accepted in log.checks)


@pytest.mark.parametrize(("share", "accepted"), [(0.0, 0), (1.0, 4)])
def test_acceptance_is_what_was_asked_for(share: float, accepted: int) -> None:
    log = _Log()
    pair("video_llava", "eventgpt", Speculating(count=4, shares=(share,))).run(max_new_tokens=11, hook=log)
    assert {one for one in log.checks if one[0] == 4} == {(4, accepted)}


def test_acceptance_is_what_was_asked_for_where_other_kernels_gave_another_answer_before() -> None:
    """As verification's kernels do, which round otherwise than those of the requests that are measured."""

    def other(_module: Any, _inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        return logits.roll(1, dims=-1) if torch.are_deterministic_algorithms_enabled() else logits

    two = pair("video_llava", "eventgpt", Speculating(count=4, shares=(1.0,)))
    changed = two.target.network.get_output_embeddings().register_forward_hook(other)
    log = _Log()
    try:
        with deterministic_kernels():
            before = two.run(max_new_tokens=11)
        answer = two.run(max_new_tokens=11, hook=log)
    finally:
        changed.remove()
    assert before.tolist() != answer.tolist() == stock("video_llava", 11)
    assert log.checks == [(4, 4), (4, 4)]


def test_a_model_that_drafts_for_itself_has_every_token_accepted() -> None:
    log = _Log()
    pair("eventgpt", "eventgpt", Speculating(count=4)).run(max_new_tokens=11, hook=log)
    assert log.checks == [(4, 4), (4, 4)]


def test_the_stages_of_a_round_adjoin_and_have_its_number() -> None:
    log = _Log()
    pair("video_llava", "eventgpt", Speculating(count=2, shares=(0.0,))).run(max_new_tokens=3, hook=log)
    assert log.stages == [
        "load", "preprocess", "draft/load", "draft/preprocess", "vision", "prefill", "draft/vision", "draft/prefill",
        "draft#1", "map#1", "verify#1", "verify#2",
    ]  # fmt: skip
    assert log.checks == [(1, 0), (0, 0)]
    assert log.passes == [1]


def test_overlapped_the_draft_begins_on_a_thread_of_its_own() -> None:
    log = _Log()
    pair("video_llava", "eventgpt", Speculating(count=2, shares=(1.0,), schedule=OVERLAPPED)).run(
        max_new_tokens=7, hook=log
    )
    (other,) = log.others
    assert other.stages == ["draft/vision", "draft/prefill", "draft#1"]
    assert log.stages[4:9] == ["vision", "prefill", "draft#1", "map#1", "verify#1"]
    assert log.checks == [(2, 2), (2, 2)]  # what was drafted ahead counts
    assert (other.passes, log.passes) == ([2], [0, 2])


def test_overlapped_requests_share_that_thread_whatever_else_they_change() -> None:
    one = pair("video_llava", "eventgpt", Speculating(count=2, shares=(1.0,), schedule=OVERLAPPED))
    logs = [_Log(), _Log()]
    for way, log in zip((one, one.with_(count=1)), logs, strict=True):
        way.run(max_new_tokens=4, hook=log)
    assert logs[0].others[0].thread == logs[1].others[0].thread != logs[0].thread


def test_an_overlapped_draft_with_another_first_token_drafts_again() -> None:
    for share in (0.0, 1.0):
        how = Speculating(count=2, shares=(share,), schedule=OVERLAPPED)
        answer = pair("llava15", "video_llava", how).run(max_new_tokens=7)
        assert answer.tolist() == stock("llava15", 7)


@settings(max_examples=4)
@given(kept=st.integers(0, 5), more=st.integers(1, 4), batch_size=st.sampled_from([1, 3]))
@pytest.mark.parametrize("name", NAMES)
def test_a_cache_rolled_back_goes_on_as_one_that_never_held_more(
    name: str, kept: int, more: int, batch_size: int
) -> None:
    model = built(name, batch_size)
    inputs = model.prepare(model.load())
    features = model.encode_vision(inputs)
    rolled, fresh = (model.begin(inputs, features) for _ in range(2))
    tokens = torch.arange(5, 5 + batch_size * 6).reshape(batch_size, 6)
    rolled.extend(tokens)
    rolled.roll_back(kept)
    if kept:
        fresh.extend(tokens[:, :kept])
    other = tokens[:, :more] + 100
    one, two = (passes.logits(other, keep=more) for passes in (rolled, fresh))
    assert rolled.held == fresh.held == kept + more
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)
    assert torch.equal(rolled.extend(other[:, :1]), fresh.extend(other[:, :1]))


def test_a_stale_cache_would_be_noticed() -> None:
    model = built("eventgpt")
    inputs = model.prepare(model.load())
    rolled, fresh = (model.begin(inputs, model.encode_vision(inputs)) for _ in range(2))
    rolled.extend(torch.tensor([[5, 6, 7]]))
    other = torch.tensor([[105]])
    assert not torch.allclose(rolled.logits(other), fresh.logits(other), rtol=1e-2, atol=1e-2)


def test_several_samples_each_have_their_own_answer_and_acceptance(tmp_path: Path) -> None:
    for number in range(2):
        Image.effect_noise((40, 40), 20 + 60 * number).save(tmp_path / f"{number}.png")
    options = ModelOptions(size="tiny", device="cpu", dtype="float32", frames=1, prompt_tokens=12, dataset=tmp_path)
    target, draft = (find(name).build(options) for name in ("video_llava", "eventgpt"))
    both = SpeculativePair(target, draft, Speculating(count=3, shares=(0.5,)))
    said = [both.run(number, max_new_tokens=TOKENS) for number in range(2)]
    assert not torch.equal(*said)
    for number, answer in enumerate(said):
        inputs = both.prepare(both.load(number))
        assert torch.equal(answer, both.generate(inputs, both.encode_vision(inputs), max_new_tokens=TOKENS))


class _Shifted:
    """Ids of the draft are one less than the target's; its last has none."""

    def to_target(self, ids: Any) -> list[int | None]:
        return [one + 1 if one < 900 else None for one in ids]

    def to_draft(self, ids: Any) -> list[int]:
        return [max(0, one - 1) for one in ids]


def test_a_mapping_of_ones_own_changes_what_is_accepted_and_no_token() -> None:
    how = Speculating(count=4)
    log = _Log()
    answer = pair("eventgpt", "eventgpt", how, mapping=_Shifted()).run(max_new_tokens=11, hook=log)
    assert answer.tolist() == stock("eventgpt", 11)
    assert sum(accepted for _, accepted in log.checks) < 8


class _Few:
    """The draft's vocabulary has next to nothing of the target's."""

    def to_target(self, ids: Any) -> list[int | None]:
        return [one if one < 3 else None for one in ids]

    def to_draft(self, ids: Any) -> list[int]:
        return [one if one < 3 else 0 for one in ids]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_forced_acceptance_is_reached_where_the_draft_lacks_the_targets_tokens(schedule: str) -> None:
    log = _Log()
    how = Speculating(count=4, shares=(1.0,), schedule=schedule)
    answer = pair("video_llava", "eventgpt", how, mapping=_Few()).run(max_new_tokens=11, hook=log)
    assert answer.tolist() == stock("video_llava", 11)
    assert log.checks == [(4, 4), (4, 4)]


def test_shared_ids_end_where_the_smaller_vocabulary_does() -> None:
    shared = SharedIds(10, 12)
    assert known_part(shared, [3, 9, 11, 4]) == [3, 9]
    assert shared.to_draft([9, 11]) == [9, 0]


def test_unequal_numbers_of_samples_are_refused() -> None:
    class _Two:
        samples = ("a", "b")

    with pytest.raises(ModelError, match="unequal numbers of samples"):
        SpeculativePair(built("eventgpt"), _Two(), Speculating(count=1))  # type: ignore[arg-type]


def test_an_answer_ends_and_pads_where_generate_does() -> None:
    answer = Answer([[5], [6]], stops={2}, pad=0, limit=9)
    assert answer.append([[7, 2, 8], [2, 9, 9]]) == 2
    assert answer.rows == [[5, 7, 2], [6, 2, 0]]
    assert answer.finished


@settings(max_examples=20)
@given(share=st.floats(0, 1), count=st.integers(1, 8), seed=st.integers(0, 5))
def test_draws_are_seeded_and_their_rounds_yield_what_the_share_says(share: float, count: int, seed: int) -> None:
    assert draws((share,), count, 40, seed) == draws((share,), count, 40, seed)
    assert yielded((share,), count) == pytest.approx(
        count + 1 if share == 1 else (1 - share ** (count + 1)) / (1 - share), rel=1e-6
    )


def test_other_seeds_draw_otherwise() -> None:
    assert CANDIDATES > 1
    assert draws((0.5,), 4, 40, 1) != draws((0.5,), 4, 40, 2)
    assert SEQUENTIAL in SCHEDULES

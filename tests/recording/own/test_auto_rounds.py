"""An assistant's drafts and lookups in the prompt are rounds, as transformers' own `generate` makes them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch.profiler import ProfilerActivity, profile
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.generation import candidate_generator

from tracer.document.summary import Summary
from tracer.recording.marks import Marks, MeasuredRequest
from tracer.recording.own import auto, child
from tracer.recording.ranged import RangedMarks
from tracer.staging import recorded_by
from tracer.summarize import summarize_file

NEW, DRAFTED = 13, 3
WAYS = ("assistant", "itself", "lookup", "sampled")


@cache
def _models(*, repeating: bool = False) -> tuple[Any, Any]:
    """A target, which says the same over and over if `repeating`, and a draft that is a little off."""
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, vocab_size=64,
        max_position_embeddings=256, bos_token_id=None, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    target = LlamaForCausalLM(config).eval()
    for parameter in target.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, 0.01 if repeating else 0.3)
    draft = copy.deepcopy(target)
    for parameter in draft.parameters():
        parameter.data.add_(0.03 * torch.randn_like(parameter))
    return target, draft


def _asked(way: str) -> dict[str, Any]:
    target, draft = _models()
    for model in (target, draft):
        model.generation_config.num_assistant_tokens = DRAFTED
        model.generation_config.num_assistant_tokens_schedule = "constant"
        model.generation_config.assistant_confidence_threshold = 0.0
    if way == "lookup":
        return {"prompt_lookup_num_tokens": DRAFTED}
    return {"assistant_model": target if way == "itself" else draft, "do_sample": way == "sampled"}


def _answer(**options: Any) -> list[int]:
    target = _models(repeating="prompt_lookup_num_tokens" in options)[0]
    torch.manual_seed(0)
    prompt = torch.tensor([[5, 9, 11, 7, 5, 9, 11, 7, 5, 9]])
    given = {"do_sample": False, "max_new_tokens": NEW, "min_new_tokens": NEW, **options}
    with torch.no_grad():
        answer: list[int] = target.generate(prompt, attention_mask=torch.ones_like(prompt), **given)[0].tolist()
    return answer[prompt.shape[1] :]


@pytest.fixture
def truth(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Hook `generate`, and keep what the proposers themselves say was drafted and accepted, round by round."""
    told: list[tuple[int, int]] = []
    mixin: Any = transformers.generation.utils.GenerationMixin
    monkeypatch.setattr(mixin, "generate", mixin.generate)  # put back at the end
    monkeypatch.setattr(child, "_notes", {})

    def saying(get: Callable[..., Any]) -> Callable[..., Any]:
        def get_candidates(self: Any, input_ids: Any, *rest: Any, **named: Any) -> Any:
            found = get(self, input_ids, *rest, **named)
            told.append((found[0].shape[1] - input_ids.shape[1], 0))
            return found

        return get_candidates

    def telling(update: Callable[..., Any]) -> Callable[..., Any]:
        def update_candidate_strategy(self: Any, ids: Any, scores: Any, num_matches: Any) -> None:
            told[-1] = told[-1][0], int(num_matches)
            update(self, ids, scores, num_matches)

        return update_candidate_strategy

    for kind in (candidate_generator.AssistedCandidateGenerator, candidate_generator.PromptLookupCandidateGenerator):
        monkeypatch.setattr(kind, "get_candidates", saying(kind.get_candidates))
        monkeypatch.setattr(kind, "update_candidate_strategy", telling(kind.update_candidate_strategy))
    auto.hook(transformers.generation.utils)
    return told


def _measured(way: str) -> tuple[MeasuredRequest, list[int]]:
    marks = Marks()
    with recorded_by(marks):
        answer = _answer(**_asked(way))
    (request,) = marks.requests
    return request, answer


@pytest.mark.parametrize("way", WAYS)
def test_each_pass_says_what_it_checked_and_accepted_and_the_answer_stays(
    truth: list[tuple[int, int]], way: str
) -> None:
    request, answer = _measured(way)
    assert list(request.checks) == truth
    assert len({accepted for _, accepted in truth}) > 1  # some are accepted, and not all
    latencies = request.latencies
    yielded = [accepted + 1 for _, accepted in truth]
    assert [latencies.prefill_tokens, *(latencies.step_tokens or [1] * len(latencies.decode_ns))] == yielded
    assert sum(yielded) == len(answer) == NEW
    if way in ("assistant", "itself"):
        assert answer == _answer()


def test_what_is_drafted_for_the_prompts_pass_comes_before_the_first_token_and_is_not_the_targets(
    truth: list[tuple[int, int]],
) -> None:
    latencies = _measured("assistant")[0].latencies
    assert truth[0][0] == DRAFTED
    assert latencies.prefill_ns > 0
    assert latencies.outside_ns > 0
    assert latencies.outside_later_ns < latencies.outside_ns


def _recorded(way: str, path: Path) -> Summary:
    with profile(activities=[ProfilerActivity.CPU]) as profiler, recorded_by(RangedMarks()):
        _answer(**_asked(way))
    profiler.export_chrome_trace(str(path))
    return summarize_file(path)


@pytest.mark.parametrize("way", ["assistant", "lookup"])
def test_a_trace_of_it_has_roles_rounds_and_passes(truth: list[tuple[int, int]], way: str, tmp_path: Path) -> None:
    summary = _recorded(way, tmp_path / "trace.json")
    told = summary.speculation
    assert told is not None
    assert [(one.drafted, one.accepted) for one in told.each] == truth
    assert [one.prompt for one in told.each] == [True] + [False] * (len(truth) - 1)
    assert told.roles["target"].passes == len(truth)
    assert told.roles["draft"].passes == (0 if way == "lookup" else sum(drafted for drafted, _ in truth))
    assert not {"drafted_tokens", "accepted_tokens"} & set(told.unknown)


def test_a_proposer_whose_passes_nobody_hears_of_says_no_number() -> None:
    """Some draft with heads of the target's own."""
    heard: list[str] = []

    class Heard(Marks):
        def _say(self, kind: str) -> None:
            heard.append(kind)

    marks = Heard()
    ids = torch.zeros((1, 5))
    with recorded_by(marks):
        marks.begin_request()
        for counted in (True, False):
            auto._inside.steps = steps = auto.Steps(counted=True)
            propose = auto._as_draft(lambda ids: (torch.zeros((1, ids.shape[1] + 2)), None), counted=counted)
            propose(ids)
            steps.before_pass()
            steps.after_pass(2)
            steps.close(None, None, None)
        auto._inside.steps = None
        marks.end_request(failed=False)
    assert heard == ["passes:made=0", "result:drafted=2,accepted=1", "result:drafted=2,accepted=1"]


@pytest.mark.parametrize("found", [None, (), (torch.zeros(3),), (torch.zeros((1, 2)), None)])
def test_what_is_no_row_of_candidates_counts_none(found: Any) -> None:
    assert auto._drafted(torch.zeros((1, 4)), found) is None

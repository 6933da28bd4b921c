"""Recordings of two models at the tiny size, read back."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch
from support.pairs import built, pair
from support.silent import Silent

from model.decoding.passes import CachedPasses
from model.registry import ModelOptions, find
from model.speculative.loop import Drafter
from model.speculative.mapping import SharedIds
from model.speculative.pair import Speculating, SpeculativePair
from model.staged import run_request
from reports.text import render
from tracer.document import words
from tracer.document.errors import InputError, VerificationError
from tracer.document.manifest import Verification
from tracer.document.summary import Summary
from tracer.recording import drafting
from tracer.recording.hooks import RecorderHook
from tracer.recording.marks import Marks
from tracer.recording.options import Drafting, RecordOptions, from_json
from tracer.recording.passes import ties
from tracer.recording.recorder import record
from tracer.recording.window import DecodeWindow, Schedule
from tracer.summarize import summarize_file

TOKENS = 8


def _options(output: Path, **of_draft: Any) -> RecordOptions:
    return RecordOptions(
        model="video_llava",
        model_options=ModelOptions(size="tiny", device="cpu", dtype="float32", frames=1, prompt_tokens=12),
        output=output,
        requests=1,
        max_new_tokens=TOKENS,
        schedule=Schedule(wait=0, warmup=0, active=1, repeat=1),
        window=DecodeWindow(1, TOKENS),
        drafting=Drafting(**{"model": "llava15", "tokens": 2, "acceptance": (1.0,), **of_draft}),
    )


@pytest.fixture(scope="module")
def overlapped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    path = tmp_path_factory.mktemp("overlapped") / "run.json"
    record(_options(path, schedule="overlapped", sweep=((1, 2), ((0.0,),))), Silent())
    return path, summarize_file(path)


def test_each_model_is_measured_alone_and_both_in_either_schedule(overlapped: tuple[Path, Summary]) -> None:
    found = overlapped[1].drafting
    assert found is not None
    assert [one.way for one in found.ways] == ["target alone", "draft alone", "sequential", "overlapped"]
    assert [one.tokens for one in found.ways] == [TOKENS] * 4
    assert [(one.rounds, one.drafted, one.accepted) for one in found.ways[2:]] == [(3, 4, 4)] * 2
    assert all(one.request_speedup is None for one in found.ways[:2])
    assert all(one.request_speedup > 0 for one in found.ways[2:] if one.request_speedup is not None)
    assert found.target_step_ns is not None


def test_rounds_are_read_back_with_what_was_accepted_and_the_target_alone(overlapped: tuple[Path, Summary]) -> None:
    told = overlapped[1].speculation
    assert told is not None
    assert (told.rounds, told.drafted_tokens, told.accepted_tokens, told.yielded_tokens) == (3, 4, 4, TOKENS - 1)
    assert None not in (told.target_alone_ns, told.speedup, told.clean_took_ns, told.break_even_acceptance)
    assert not set(told.unknown) & {"target_alone_ns", "speedup"}


def test_what_the_draft_does_on_its_own_thread_is_its_own(overlapped: tuple[Path, Summary]) -> None:
    roles = {(one.role, one.stage): one for one in overlapped[1].roles}
    for stage in ("vision", "prefill"):
        assert roles["draft", stage].ops > 0
        assert roles["target", stage].ops > 0
    assert overlapped[1].device.unattributed.ops < 20
    events = json.loads(overlapped[0].read_text())["traceEvents"]
    threads = {event["name"]: event["tid"] for event in events if str(event.get("name")).startswith("tracer/")}
    assert threads["tracer/draft/prefill"] != threads["tracer/prefill"] == threads["tracer/verify#1"]


def test_a_sweep_lies_beside_the_trace_and_in_the_report(overlapped: tuple[Path, Summary]) -> None:
    path, summary = overlapped
    cells = json.loads(path.with_name("run.sweep.json").read_text())
    assert [(cell["tokens"], cell["acceptance"], cell["way"]["accepted"]) for cell in cells] == [
        (1, [0.0], [0]), (2, [0.0], [0]),
    ]  # fmt: skip
    text = render(summary, width=100)
    assert "acceptance forced to 100% (seed 0)" in text
    assert "nowhere does it pay" in text or "most is gained" in text


def test_one_model_alone_has_no_such_part(data: Path) -> None:
    assert summarize_file(data / "kineto_cpu_only.json.gz").drafting is None


def test_a_loop_whose_tokens_are_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = pair("video_llava", "eventgpt", Speculating(count=2))
    wrong = both.run(max_new_tokens=TOKENS)
    wrong[0, 3] = (wrong[0, 3] + 1) % 900
    monkeypatch.setattr(both, "run", lambda *_, **__: wrong, raising=False)
    with pytest.raises(VerificationError, match="from token 3"):
        drafting._verify_rounds(both, 0, TOKENS, lambda: None)


@cache
def _planted(dtype: str) -> Any:
    """A pair whose target has two ids that are likely alike, and what it says itself."""
    options = ModelOptions(size="tiny", device="cpu", dtype=dtype, frames=1, prompt_tokens=12)
    target, draft = (find(name).build(options) for name in ("video_llava", "eventgpt"))
    both = SpeculativePair(target, draft, Speculating(count=2))
    inputs = both.prepare(both.load())
    own = both.generate(inputs, both.encode_vision(inputs), max_new_tokens=TOKENS)
    head = target.network.get_output_embeddings().weight
    head.data[_other(own)] = head.data[own[0, 3]]
    return both


def _other(own: torch.Tensor) -> int:
    """An id that the answer lacks, behind that of token 3: of two that are as likely the first is taken."""
    return next(one for one in range(int(own[0, 3]) + 1, 2_000) if one not in own[0].tolist())


def _said(both: Any, *, wrong: int = 0) -> torch.Tensor:
    """An answer that takes the other of both at token 3, and what the target says behind that; or a wrong token."""
    inputs = both.prepare(both.load())
    features = both.encode_vision(inputs)
    own = both.generate(inputs, features, max_new_tokens=TOKENS)
    said = own[:, :3].tolist()
    token = torch.tensor([[wrong or _other(own)]])
    passes = both.target.begin(inputs.target, features[0])
    passes.extend(own[:, :3])
    while len(said[0]) < TOKENS:
        said[0].append(int(token))
        token = passes.extend(token)
    return torch.tensor(said)


def _verified(both: Any, said: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> Verification:
    monkeypatch.setattr(both, "run", lambda *_, **__: said, raising=False)
    return drafting._verify_rounds(both, 0, TOKENS, lambda: None)


def test_a_tie_is_said_to_be_one_with_how_near_both_tokens_are(monkeypatch: pytest.MonkeyPatch) -> None:
    both = _planted("bfloat16")
    found = _verified(both, _said(both), monkeypatch)
    assert (found.status, found.first_difference, found.margin) == ("differs", 3, 0.0)
    assert found.rounding is not None and 0 < found.rounding < 1
    assert words.tie_said(found.margin, found.rounding).startswith(": ties within rounding (at most 0 below")


def test_in_float32_a_tie_is_an_error_that_says_how_near_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    both = _planted("float32")
    with pytest.raises(VerificationError, match=r"from token 3 on: .* up to 0 below .* weights of this type must"):
        _verified(both, _said(both), monkeypatch)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_another_token_is_no_tie_nor_is_one_behind_a_tie(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    both = _planted(dtype)
    with pytest.raises(VerificationError, match="from token 3 on"):
        _verified(both, _said(both, wrong=7), monkeypatch)
    behind = _said(both)
    behind[0, 5] = 7
    with pytest.raises(VerificationError, match=r"from token 3 on: its logits lie up to 0\.\d+|[1-9]"):
        _verified(both, behind, monkeypatch)


def test_passes_over_several_tokens_that_say_others_are_no_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the margin: a cache that is read at wrong places would make its own ties."""
    both, logits = _planted("bfloat16"), CachedPasses.logits
    said = _said(both)

    def elsewhere(self: CachedPasses, tokens: torch.Tensor, *, keep: int = 1) -> torch.Tensor:
        return logits(self, tokens.flip(-1), keep=keep)

    monkeypatch.setattr(CachedPasses, "logits", elsewhere)
    with pytest.raises(VerificationError, match="more than their type rounds"):
        _verified(both, said, monkeypatch)


def test_an_answer_that_ends_too_soon_is_no_tie(monkeypatch: pytest.MonkeyPatch) -> None:
    both = _planted("bfloat16")
    with pytest.raises(VerificationError, match="in its end, behind 5 tokens of 8"):
        _verified(both, _said(both)[:, :5], monkeypatch)
    first = _said(both)
    first[0, 0] = 7
    with pytest.raises(VerificationError, match="in token 0"):
        _verified(both, first, monkeypatch)


def test_tokens_behind_a_stop_are_not_judged() -> None:
    network = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=[2], pad_token_id=0))
    said = torch.tensor([[5, 2, 0, 0], [5, 6, 7, 2]])
    assert ties._alive(said, network).tolist() == [[True, True, False, False], [True, True, True, True]]


def test_clean_requests_say_what_each_round_yielded() -> None:
    marks = Marks(torch.device("cpu"), adjoining=True)
    both = pair("video_llava", "eventgpt", Speculating(count=2, shares=(1.0,), schedule="overlapped"))
    run_request(both, max_new_tokens=TOKENS, hook=RecorderHook(marks))
    (request,) = marks.requests
    assert request.checks == ((2, 2), (2, 2), (0, 0))
    assert request.latencies.step_tokens == [accepted + 1 for _, accepted in request.checks]
    assert request.beside is not None
    assert request.beside.vision_ns > 0
    assert request.beside.prefill_ns > 0


def test_another_thread_is_timed_by_the_clock_of_its_own_device() -> None:
    marks = Marks(torch.device("cpu"), adjoining=True)
    assert marks.forked(torch.device("cuda:1"))._given == torch.device("cuda:1")


def test_a_draft_on_another_device_is_over_before_its_end_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []

    def stream(device: torch.device) -> Any:
        return SimpleNamespace(synchronize=lambda: waited.append(device))

    monkeypatch.setattr(torch.cuda, "current_stream", stream)
    passes: Any = SimpleNamespace(device=torch.device("cuda:1"))
    drafter = Drafter(passes, SharedIds(4, 4))
    drafter.settle(torch.device("cuda:1"))
    assert waited == []
    drafter.settle(torch.device("cuda:0"))
    assert waited == [torch.device("cuda:1")]


def test_options_survive_the_way_to_another_process(tmp_path: Path) -> None:
    from dataclasses import asdict

    asked = _options(tmp_path / "run.json", checkpoint=tmp_path)
    assert from_json(json.loads(json.dumps(asdict(asked), default=str))) == asked


def test_the_draft_has_its_own_size_place_and_frames() -> None:
    target = ModelOptions(size="7b", device="cuda:0", dtype="bfloat16", frames=3, batch_size=2)
    own = drafting.draft_options(target, Drafting(model="eventgpt", device="cuda:1"))
    assert (own.size, own.device, own.frames, own.batch_size) == ("7b", "cuda:1", None, 2)
    assert drafting.draft_options(target, Drafting(model="eventgpt", size="tiny")).size == "tiny"


MAPPING = """
class Same:
    def __init__(self, sizes): self.sizes = sizes
    def to_target(self, ids): return [one if one < min(self.sizes) else None for one in ids]
    def to_draft(self, ids): return list(ids)

def build(draft, target): return Same((draft, target))

def nothing(draft, target): return object()
"""


def test_a_mapping_of_ones_own_is_loaded_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mapping.py"
    file.write_text(MAPPING)
    both = drafting.paired(
        built("eventgpt"),
        _options(tmp_path / "a.json", mapping=f"{file}:build", acceptance=()),
        Drafting(model="eventgpt", tokens=2, mapping=f"{file}:build"),
    )
    assert both.mapping_name == "Same"
    with pytest.raises(InputError, match="no to_target and no to_draft"):
        drafting._mapping(f"{file}:nothing", 3, 4)


def test_a_manifest_of_before_has_no_draft() -> None:
    from support.manifests import as_metadata, latencies

    from tracer.document.manifest import decode

    old = as_metadata([latencies()])
    del old["drafting"]
    found = decode(msgspec.json.encode(old))
    assert found is not None
    assert found.drafting is None

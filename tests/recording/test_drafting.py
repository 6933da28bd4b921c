"""Recordings of two models at the tiny size, read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from support.pairs import built, pair
from support.silent import Silent

from model.registry import ModelOptions
from model.speculative.pair import Speculating
from model.staged import run_request
from reports.text import render
from tracer.document.errors import InputError, VerificationError
from tracer.document.summary import Summary
from tracer.recording import drafting
from tracer.recording.hooks import RecorderHook
from tracer.recording.marks import Marks
from tracer.recording.options import Drafting, RecordOptions, from_json
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


def test_only_the_likeliest_tokens_pass_for_rounding() -> None:
    both = pair("video_llava", "eventgpt", Speculating(count=2))
    inputs = both.prepare(both.load())
    features = both.encode_vision(inputs)
    stock = both.generate(inputs, features, max_new_tokens=TOKENS)
    assert drafting._rounded_otherwise(both, inputs, features, stock, stock, 3)
    other = stock.clone()
    other[0, 3] = (other[0, 3] + 1) % 900
    assert not drafting._rounded_otherwise(both, inputs, features, other, stock, 3)


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

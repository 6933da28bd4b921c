"""Whole recordings at the tiny size, read back."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from support.silent import Silent

from model.decoding.static import StaticDecoder
from model.registry import ModelOptions
from model.staged import DecodeState
from tracer.document.errors import InputError, VerificationError
from tracer.document.summary import Summary
from tracer.document.times import microseconds_to_ns
from tracer.recording.options import RecordOptions
from tracer.recording.recorder import record
from tracer.recording.window import DecodeWindow, Schedule
from tracer.summarize import summarize_file
from tracer.trace.columns import Want
from tracer.trace.reader import read_trace

TOKENS = 6


def _record(output: Path, **changes: Any) -> Path:
    model = {"size": "tiny", "device": "cpu", "dtype": "float32"} | changes.pop("model", {})
    options: dict[str, Any] = {
        "model": changes.pop("name", "eventgpt"),
        "model_options": ModelOptions(**model),
        "output": output,
        "requests": 2,
        "max_new_tokens": TOKENS,
        "schedule": Schedule(wait=0, warmup=1, active=1, repeat=1),
        "window": DecodeWindow(1, TOKENS),
    }
    record(RecordOptions(**options | changes), Silent())
    return output


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _record(tmp_path_factory.mktemp("run") / "run.json")


@pytest.fixture(scope="module")
def unverified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _record(tmp_path_factory.mktemp("unverified") / "run.json", verify=False)


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _record(tmp_path_factory.mktemp("windowed") / "run.json", verify=False, window=DecodeWindow(2, 4))


def _annotations(path: Path) -> list[str]:
    data = path.read_bytes()
    events = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)["traceEvents"]
    chosen = [event for event in events if event.get("cat") == "user_annotation"]
    return [event["name"] for event in sorted(chosen, key=lambda event: event["ts"])]


def test_the_trace_has_every_stage_once_and_every_token(run: Path) -> None:
    names = [name for name in _annotations(run) if "ProfilerStep" not in name]
    encoders = [name for name in names if name.startswith("tracer/encoder")]
    assert len(encoders) == 5
    assert [name for name in names if name not in encoders] == [
        "tracer/request#1", "tracer/load", "tracer/preprocess", "tracer/vision", "tracer/prefill",
        *[f"tracer/decode#{k}" for k in range(1, TOKENS)],
    ]  # fmt: skip


def test_the_manifest_says_what_ran(run: Path) -> None:
    manifest = json.loads(run.read_text())["tracer"]
    assert manifest["model"]["name"] == "eventgpt"
    assert manifest["shape"] == {
        "batch_size": 1, "frames": 5, "visual_tokens": 582, "prompt_tokens": 64, "new_tokens": TOKENS,
    }  # fmt: skip
    assert manifest["verification"] == {
        "status": "passed", "tokens": TOKENS, "encoder_calls": 5, "expected_encoder_calls": 5, "first_difference": None,
        "margin": None, "rounding": None, "reason": "", "shapes": 1, "shapes_verified": 1,
    }  # fmt: skip
    assert manifest["clock"] == "host"
    assert len(manifest["clean"]) == 2
    assert all(len(request["decode_ns"]) == TOKENS - 1 for request in manifest["clean"] + manifest["profiled"])
    assert manifest["software"]["torch"] == torch.__version__
    assert manifest["cost"]["prefill"]["flops"] > 0
    assert len(manifest["cost"]["decode"]) == TOKENS - 1


def test_the_samples_of_a_data_set_take_turns(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.npy").write_bytes((data / "moving_edge.npy").read_bytes())
    schedule = Schedule(wait=0, warmup=1, active=2, repeat=1)
    run = _record(tmp_path / "run.json", model={"dataset": folder, "frames": 1}, requests=None, schedule=schedule)
    manifest = json.loads(run.read_text())["tracer"]
    assert [sample["name"] for sample in manifest["samples"]] == ["0.npy", "1.npy", "2.npy"]
    assert [request["sample"] for request in manifest["clean"]] == [0, 1, 2]
    assert manifest["samples"][0] | {"name": ""} == manifest["shape"] | {"name": ""}
    assert [request["sample"] for request in manifest["profiled"]] == [0, 1]
    assert manifest["options"]["requests"] == 3
    assert manifest["cost"] is not None
    again = _record(tmp_path / "again.json", model={"dataset": folder, "frames": 1, "batch_size": 2}, requests=3)
    manifest = json.loads(again.read_text())["tracer"]
    assert [sample["batch_size"] for sample in manifest["samples"]] == [2, 1]
    assert [request["sample"] for request in manifest["clean"]] == [0, 1, 0]
    checked = manifest["verification"]  # a batch of two, and the last one
    assert (checked["tokens"], checked["shapes"], checked["shapes_verified"]) == (3 * TOKENS, 2, 2)


def test_work_is_unknown_where_the_recorded_samples_differ(tmp_path: Path) -> None:
    for number, count in enumerate((1, 2)):
        (tmp_path / f"set/{number}").mkdir(parents=True)
        for picture in range(count):
            Image.new("RGB", (20, 20)).save(tmp_path / f"set/{number}/{picture}.png")
    for active, known in ((1, True), (2, False)):
        schedule = Schedule(wait=0, warmup=1, active=active, repeat=1)
        options = {"model": {"dataset": tmp_path / "set"}, "requests": None, "schedule": schedule}
        run = _record(tmp_path / f"{active}.json", **options)
        assert (json.loads(run.read_text())["tracer"]["cost"] is not None) is known


@pytest.mark.parametrize("model", ["llava15", "video_llava"])
def test_other_models_are_recorded_alike(tmp_path: Path, model: str) -> None:
    run = _record(tmp_path / "run.json", name=model, model={"batch_size": 2})
    names = [name for name in _annotations(run) if "ProfilerStep" not in name]
    assert names == [
        "tracer/request#1", "tracer/load", "tracer/preprocess", "tracer/vision", "tracer/encoder#1", "tracer/prefill",
        *[f"tracer/decode#{k}" for k in range(1, TOKENS)],
    ]  # fmt: skip
    manifest = json.loads(run.read_text())["tracer"]
    checked = manifest["verification"]
    assert (checked["status"], checked["tokens"], checked["shapes_verified"]) == ("passed", 2 * TOKENS, 1)


def _tracks(path: Path) -> dict[tuple[Any, Any], list[tuple[int, int]]]:
    tracks = defaultdict(list)
    for event in json.loads(path.read_text(), parse_float=Decimal)["traceEvents"]:
        if event.get("ph") == "X":
            start, duration = (microseconds_to_ns(str(event[key])) for key in ("ts", "dur"))
            tracks[event["pid"], event["tid"]].append((start, start + duration))
    return tracks


@pytest.mark.parametrize(
    "options",
    [
        "unverified",
        {"with_stack": True},
        "windowed",
        {"with_stack": True, "window": DecodeWindow(2, 4), "schedule": Schedule(0, 1, 2, 1)},
    ],
)
def test_slices_nest_on_every_track_so_that_perfetto_shows_them_all(
    tmp_path: Path, options: Any, request: pytest.FixtureRequest
) -> None:
    shared = isinstance(options, str)
    run = request.getfixturevalue(options) if shared else _record(tmp_path / "run.json", verify=False, **options)
    for track in _tracks(run).values():
        open_ends: list[int] = []
        for start, end in sorted(track, key=lambda slice: (slice[0], -slice[1])):
            while open_ends and open_ends[-1] <= start:
                open_ends.pop()
            assert not open_ends or end <= open_ends[-1]
            open_ends.append(end)


def test_the_summary_of_a_recording_is_complete(run: Path) -> None:
    summary = summarize_file(run)
    assert [stage.stage for stage in summary.stages] == ["load", "preprocess", "vision", "prefill", "decode"]
    assert summary.device.kind == "cpu"
    assert summary.device.unattributed.ops == 0
    assert [token.index for token in summary.tokens] == list(range(1, TOKENS))
    assert {token.request for token in summary.tokens} == {1}
    latency = summary.latency
    assert latency is not None
    assert (latency.source, latency.clock, latency.requests) == ("clean", "host", 2)
    assert set(latency.distortion) == {"load", "preprocess", "vision", "prefill", "decode"}
    assert latency.ttft_ns < latency.request_ns


def _finding_ids(summary: Summary) -> set[str]:
    return {finding.id for finding in summary.findings}


def test_only_the_coupled_run_is_told_that_it_encodes_twice(run: Path, tmp_path: Path) -> None:
    assert "vision-reencoded" not in _finding_ids(summarize_file(run))
    coupled = summarize_file(_record(tmp_path / "coupled.json", couple=True))
    assert "vision-reencoded" in _finding_ids(coupled)
    (finding,) = [finding for finding in coupled.findings if finding.id == "vision-reencoded"]
    assert finding.evidence["runs"] == 5
    assert 0 < finding.evidence["device_time_ns"] < coupled.stages[3].device_time_ns
    assert finding.evidence["device_time_ns"] == _encoding_in_prefill_ns(tmp_path / "coupled.json")


def _encoding_in_prefill_ns(path: Path) -> int:
    """Time of the outermost operators inside the encoder's ranges inside prefill."""
    slices = [
        (event["name"], event.get("cat"), event["tid"], start, start + microseconds_to_ns(str(event["dur"])))
        for event in json.loads(path.read_text(), parse_float=Decimal)["traceEvents"]
        if event.get("ph") == "X"
        for start in [microseconds_to_ns(str(event["ts"]))]
    ]
    ((_, _, thread, begin, end),) = [one for one in slices if one[0] == "tracer/prefill"]
    total = 0
    for name, _, _, first, last in slices:
        if name.startswith("tracer/encoder") and begin <= first and last <= end:
            free = first
            for _, kind, on, start, stop in sorted(slices, key=lambda one: (one[3], -one[4])):
                if kind == "cpu_op" and on == thread and free <= start < last:
                    total, free = total + stop - start, stop
    return total


def test_a_window_in_the_middle_records_those_steps_alone(windowed: Path) -> None:
    summary = summarize_file(windowed)
    assert [token.index for token in summary.tokens] == [2, 3]
    assert {token.request for token in summary.tokens} == {1}
    assert summary.device.unattributed.ops == 0
    assert summary.latency is not None
    assert "decode" in summary.latency.distortion
    # Step 1 ran between the two captures; its time must not be charged as idle.
    decode, device = summary.stages[4], summary.device
    assert decode.span_ns == decode.busy_ns + decode.idle_ns
    assert device.busy_ns + device.idle_ns < summary.window.end_ns - summary.window.start_ns


def test_cycles_and_requests_all_arrive_in_one_file(tmp_path: Path) -> None:
    schedule = Schedule(wait=1, warmup=1, active=2, repeat=2)
    path = _record(tmp_path / "run.json.gz", schedule=schedule, verify=False)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    requests = [name for name in _annotations(path) if name.startswith("tracer/request")]
    assert requests == [f"tracer/request#{number}" for number in (2, 3, 6, 7)]
    summary = summarize_file(path)
    assert summary.stages[4].calls == 4 * (TOKENS - 1)
    assert len({(token.request, token.index) for token in summary.tokens}) == 4 * (TOKENS - 1)


def test_one_token_needs_no_decode(tmp_path: Path) -> None:
    path = _record(tmp_path / "run.json", max_new_tokens=1, window=DecodeWindow(1, 1))
    summary = summarize_file(path)
    assert summary.tokens == []
    assert summary.latency is not None
    assert summary.latency.tpot_ns is None


def _wrong_token(original: Callable[..., DecodeState]) -> Callable[..., DecodeState]:
    def step(self: Any, state: DecodeState) -> DecodeState:
        after = original(self, state)
        after.tokens[:, -1] += 1
        return after

    return step


def test_a_staged_loop_that_strays_stops_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model.eventgpt.adapter import StagedEventGPT

    monkeypatch.setattr(StagedEventGPT, "decode_step", _wrong_token(StagedEventGPT.decode_step))
    with pytest.raises(VerificationError, match="generate, given features: token 1 is"):
        _record(tmp_path / "run.json")
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_runs_again_stops_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model.eventgpt.adapter import StagedEventGPT

    monkeypatch.setattr(StagedEventGPT, "expected_encoder_calls", lambda *_: 1)
    with pytest.raises(VerificationError, match="ran 5 times in a request, not 1"):
        _record(tmp_path / "run.json")


def test_features_that_differ_stop_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model.eventgpt.adapter import StagedEventGPT

    encode = StagedEventGPT.encode_vision
    monkeypatch.setattr(StagedEventGPT, "encode_vision", lambda *args: encode(*args) + 1e-3 * torch.rand(1))
    with pytest.raises(VerificationError):
        _record(tmp_path / "run.json")


def test_without_verification_the_manifest_says_so(unverified: Path) -> None:
    assert json.loads(unverified.read_text())["tracer"]["verification"]["status"] == "skipped"


def test_the_models_errors_become_ours(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        _record(tmp_path / "run.json", model={"input": Path("/nowhere.npy")})


def test_stacks_and_shapes_arrive_only_when_asked_for(run: Path, tmp_path: Path) -> None:
    full = _record(tmp_path / "run.json", with_stack=True, record_shapes=True, memory=True, verify=False)
    assert "python_function" not in run.read_text()
    assert "Input Dims" not in run.read_text()
    text = full.read_text()
    assert '"python_function"' in text
    assert "nn.Module: " in text
    assert "Input Dims" in text
    assert "[memory]" in text


def test_steps_made_in_another_way_are_compared_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def manifest(path: Path) -> Any:
        return read_trace(path, Want.SUMMARY).manifest

    static = {"decode": "static", "new_tokens": TOKENS}
    same = manifest(_record(tmp_path / "same.json", model=static))
    assert (same.model["decode"], same.verification.status) == ("static", "passed")

    def other(self: StaticDecoder, token: torch.Tensor) -> torch.Tensor:
        return step(self, token) if self._cache.layers[0].get_seq_length() < 648 else torch.full_like(token, 7)

    step = StaticDecoder.step
    monkeypatch.setattr(StaticDecoder, "step", other)
    different = manifest(_record(tmp_path / "different.json", model=static)).verification
    assert (different.status, different.first_difference) == ("differs", 3)

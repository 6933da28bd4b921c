from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.chrome import (
    OTHER,
    Event,
    call,
    document,
    frame,
    kernel,
    launch,
    module,
    read_bytes,
    span,
    trace_of,
    write,
)

from tracer.document.summary import Finding
from tracer.findings.sync_per_token import UNLOCATED
from tracer.measure.counts import outermost_waits
from tracer.measure.python_lines import is_own, places_of
from tracer.summarize import summarize_file
from tracer.trace.columns import Trace, Want
from tracer.trace.reader import read_trace
from tracer.trace.source import Source

ITEM = "<built-in method item of Tensor object at 0x7fdc681d0910>"
BOXES = 5
SAMPLE = "transformers/generation/utils.py(3400): _sample"
FORWARD = "torch/nn/modules/module.py(1773): _wrapped_call_impl"


def _place(*frames: Event) -> tuple[str, str]:
    events = [*frames, call("cudaStreamSynchronize", 50, 5)]
    trace = trace_of(*events)
    (place,) = places_of(trace, outermost_waits(trace), read_bytes(document(*events), Want.FRAMES))
    return place


MAIN_FRAME = frame("run.py(1): main", 0, 100)


@pytest.mark.parametrize(
    ("frames", "line", "words"),
    [
        ([], "", ""),
        ([MAIN_FRAME], "run.py(1): main", "run.py(1): main"),
        ([MAIN_FRAME, frame("run.py(9): step", 40, 30)], "run.py(9): step", "run.py(9): step"),
        ([MAIN_FRAME, frame("run.py(9): step", 40, 10)], "run.py(1): main", "run.py(1): main"),
        ([MAIN_FRAME, frame("run.py(9): step", 40, 30, tid=OTHER)], "run.py(1): main", "run.py(1): main"),
        ([MAIN_FRAME, frame(FORWARD, 40, 30), module("Linear_0", 41, 20)], "run.py(1): main", "run.py(1): main"),
        ([MAIN_FRAME, frame(ITEM, 49, 9)], "run.py(1): main", "item() in run.py(1): main"),
        (
            [MAIN_FRAME, frame(SAMPLE, 10, 80), frame(ITEM, 49, 9)],
            "run.py(1): main", f"item() in {SAMPLE}, called from run.py(1): main",
        ),
        ([frame(ITEM, 30, 60), frame(SAMPLE, 40, 30)], SAMPLE, SAMPLE),
        ([frame(FORWARD, 10, 80), frame(ITEM, 49, 9)], "", ""),
    ],
)  # fmt: skip
def test_the_innermost_frame_of_a_persons_own_code_is_named(frames: list[Event], line: str, words: str) -> None:
    assert _place(*frames) == (line, words)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("run.py(1): main", True),
        ("vllm/v1/worker/gpu_model_runner.py(3087): synchronize_input_prep", True),
        ("/home/u/torch_models/run.py(3): f", True),
        ("/opt/lib/python3.12/site-packages/sglang/srt/x.py(3): f", True),
        ("threading.py(1032): _bootstrap", False),
        ("/usr/lib/python3.12/contextlib.py(81): inner", False),
        ("/venv/lib/python3.11/site-packages/transformers/x.py(2): f", False),
        ("<frozen os>(808): getenv", False),
        ("<string>(1): launcher", False),
    ],
)
def test_whose_code_a_frame_is(name: str, own: bool) -> None:
    assert is_own(name) is own


def test_only_frames_that_may_tell_are_read() -> None:
    mute = [
        frame(FORWARD, 0, 5), frame("/venv/lib/python3.11/site-packages/torch/_ops.py(1): f", 0, 5),
        frame("<built-in function len>", 0, 5), frame("<built-in method items of dict object at 0x1>", 0, 5),
        frame("contextlib.py(132): __enter__", 0, 5), module("Linear_0", 0, 5),
    ]  # fmt: skip
    telling = [MAIN_FRAME, frame(ITEM, 1, 2), frame("<built-in function _cuda_synchronize>", 1, 2)]
    scanned = document(*mute, *telling)
    as_one_document = scanned.replace(b'"cat": ', b'"cat" :')
    for data in (scanned, as_one_document):
        trace = read_bytes(data, Want.FRAMES)
        assert [trace.strings[name] for name in trace.frames.name] == [event["name"] for event in telling]


def _steps(*frames: Event) -> list[Event]:
    """Eight decode steps, each of which waits for its kernel and launches the next 30 us later."""
    events = [span("tracer/request#0", 0, 10_000), *frames]
    for k in range(1, 9):
        at = 120.0 * (k - 1)
        events += [span(f"tracer/decode#{k}", at, 120), launch(at + 1, 1, k), kernel("ampere_sgemm", at + 3, 90, k)]
        events.append(call("cudaStreamSynchronize", at + 4, 90))
    return events


def _finding(path: Path) -> Finding:
    return next(one for one in summarize_file(path).findings if one.id == "sync-per-token")


def test_the_line_that_waits_is_in_the_finding_and_its_twin_without_frames_says_how_to_get_it(tmp_path: Path) -> None:
    items = [frame(ITEM, 120 * k + 3.5, 92) for k in range(8)]
    steps = _steps(frame("run.py(1): main", 0, 2000), frame("run.py(9): step", 0, 960), *items)
    found = _finding(write(tmp_path / "framed.json", *steps, with_stack=1))
    assert "cudaStreamSynchronize, 1.0 times a step, by item() in run.py(9): step)" in found.message
    assert found.evidence["line"] == "run.py(9): step"
    assert found.evidence["lines"] == {"item() in run.py(9): step": 8}
    assert UNLOCATED not in found.next_step
    for name, events, stack in (("none", _steps(), 0), ("torch", _steps(frame(FORWARD, 0, 2000)), 1)):
        twin = _finding(write(tmp_path / f"{name}.json", *events, with_stack=stack))
        assert "1.0 times a step), which" in twin.message
        assert not {"line", "lines"} & set(twin.evidence)
        assert twin.next_step.endswith(UNLOCATED)


def test_frames_are_read_only_for_a_finding_that_needs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracer.summarize as pipeline

    asked: list[Want] = []
    read = pipeline.read_source

    def watched(source: Source, want: Want, **options: Any) -> Trace:
        if want & (Want.OPS | Want.FRAMES):  # else it is a small file's reading for its operators and memory
            asked.append(want)
        return read(source, want, **options)

    monkeypatch.setattr(pipeline, "read_source", watched)
    calm = [event for event in _steps(MAIN_FRAME) if event["name"] != "cudaStreamSynchronize"]
    summarize_file(write(tmp_path / "calm.json", *calm, with_stack=1))
    assert not any(want & Want.FRAMES for want in asked)
    asked.clear()
    summarize_file(write(tmp_path / "waiting.json", *_steps(MAIN_FRAME), with_stack=1))
    assert [want & Want.FRAMES for want in asked] == [0, Want.FRAMES]


def test_real_frames_hold_the_waits_of_their_thread(chrome_trace: Path) -> None:
    trace, framed = read_trace(chrome_trace, Want.SUMMARY), read_trace(chrome_trace, Want.FRAMES)
    waits = outermost_waits(trace)
    places = places_of(trace, waits, framed)
    assert len(places) == len(waits)
    if not len(framed.frames):
        assert set(places) <= {("", "")}
    spelled = np.array(framed.strings)[framed.frames.name] if len(framed.frames) else np.array([])
    assert {line for line, _ in places} - {""} <= set(spelled.tolist())
    if chrome_trace.name == "kineto_mi300x_bert.json.gz":
        profile = "moca/library/profiling/profile.py(34): run_torch_profiler"
        assert places[0] == (profile, f"synchronize() in {profile}")
    if chrome_trace.name == "kineto_h100_owlv2.json.gz":
        box = "to() in transformers/models/owlv2/modeling_owlv2.py(1421): box_predictor, called from moca/"
        assert sum(words.startswith(box) for _, words in places) == BOXES
    if chrome_trace.name == "kineto_mi300x_vllm_piecewise_graph.json.gz":
        line = "vllm/v1/worker/gpu_model_runner.py(3087): synchronize_input_prep"
        assert places == [(line, f"synchronize() in {line}")]

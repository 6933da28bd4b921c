"""Of a large file some of the waits are located by frames that were read beside the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.chrome import Event, call, document, frame, kernel, launch, module, read_bytes, span

import tracer.summarize as summarizing
import tracer.trace.chrome.reader as reader
import tracer.trace.chrome.scanner as scanner
import tracer.trace.source as source
from tracer.arrays import int64
from tracer.choices import Choices
from tracer.document.summary import Finding
from tracer.measure import python_lines
from tracer.trace.columns import Spans, Trace, Want
from tracer.trace.sampled import LONG_NS, windows_of

NAMES = [
    "run.py(1): main",
    "torch/nn/functional.py(2): linear",
    "<built-in method item of Tensor object at 0x7f>",
    "<built-in method mm>",
    "<built-in function sleep>",
    "nn.Module: Linear_0",
    "transformers/generation/utils.py(9): _sample",
]


@pytest.fixture(autouse=True)
def _any_file_is_large_and_every_third_text_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LARGE_BYTES", 0)
    monkeypatch.setattr(scanner, "SHORT_TEXT_BYTES", 0)
    monkeypatch.setattr(scanner, "EVERY", 3)  # every second is what lies between two blocks
    monkeypatch.setattr(source, "BLOCK_BYTES", 1500)


# Of each call: how long after the one before it begins, how long it takes, its name, and whether it is closed.
PAUSES_US = [0.0, 0.5, 400.0, 900.0]
TAKES_US = [0.25, 3.0, 250.0, 999.999, 1000.0, 1000.001, 5e4]
CALLS = list(product([True] * 9 + [False], NAMES, TAKES_US, PAUSES_US))
# Drawn together: to draw is half of what an example takes.
SEVERAL = st.lists(st.sampled_from(CALLS), min_size=20, max_size=40)


@st.composite
def _nested(draw: st.DrawFn) -> list[Event]:
    """Calls of two threads, each in the order in which they begin, durations from microseconds to seconds."""
    found: list[Event] = []
    for tid in (1, 2):
        # Long ones hold all others, more of them than the first text has room for.
        time, ends = 30.0, [1e9]
        found += [frame(f"run.py({depth}): outer", depth, 9e4, tid=tid) for depth in range(25)]
        for closed, name, takes, pause in draw(SEVERAL):
            time += pause
            while len(ends) > 1 and ends[-1] <= time:
                ends.pop()
            end = min(ends[-1], time + takes)
            found.append(frame(name, time, round(end - time, 3), tid=tid))
            ends.append(end)
            if not closed:  # it is left out
                found.append({key: value for key, value in found[-1].items() if key != "dur"})
    return sorted(found, key=lambda event: float(event["ts"]))


def _frames_of(trace: Trace, frames: Spans) -> dict[tuple[str, str], list[tuple[int, int, str]]]:
    """Start, end and name of the frames of each thread."""
    found: dict[tuple[str, str], list[tuple[int, int, str]]] = {thread: [] for thread in trace.threads}
    columns = (frames.start_ns, frames.end_ns, frames.name, frames.thread)
    for start, end, name, on in zip(*(column.tolist() for column in columns), strict=True):
        found[trace.threads[on]].append((start, end, trace.strings[name]))
    return found


def _events(data: bytes) -> list[Event]:
    found: list[Event] = json.loads(data)["traceEvents"]
    return found


WRITERS: dict[str, Callable[[bytes], bytes]] = {
    "as Kineto": lambda data: data,
    "compact": lambda data: json.dumps(json.loads(data), separators=(",", ":")).encode(),
    "durations as text": lambda data: json.dumps(
        {"traceEvents": [{**one, **({"dur": str(one["dur"])} if "dur" in one else {})} for one in _events(data)]}
    ).encode(),
    "duration first": lambda data: json.dumps(
        {"traceEvents": [{"dur": one.get("dur", 1)} | one for one in _events(data)]}
    ).encode(),
}


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=20)
@given(events=_nested())
def test_each_frame_that_holds_a_time_of_a_window_is_read(writer: str, events: list[Event]) -> None:
    data = WRITERS[writer](document(span("a", 0, 1), *events, span("last", 1e6, 1)))
    some = read_bytes(data, Want.SUMMARY | Want.MODULES)
    assume(some.sampled is not None)
    assert some.sampled is not None
    every = read_bytes(data, Want.FRAMES)
    windows = some.sampled.windows
    read, there = _frames_of(some, some.sampled.frames), _frames_of(every, every.frames)
    edges = sorted({*every.frames.start_ns.tolist(), *(every.frames.end_ns - 1).tolist()})
    for start, end, on in zip(windows.start_ns.tolist(), windows.end_ns.tolist(), windows.thread.tolist(), strict=True):
        for time in (time for time in (start, *edges, end - 1) if start <= time < end):
            held, expected = ({one for one in of[some.threads[on]] if one[0] <= time < one[1]} for of in (read, there))
            # A built-in function from before has called Python since: it is not what waits.
            assert {one for one in expected if not (one[2].startswith("<") and one[0] < start)} <= held
            assert held <= expected


def test_a_window_begins_where_no_short_frame_from_before_reaches() -> None:
    later = LONG_NS + 10
    columns = windows_of(int64([0, 5, later, later + 1]), int64([0, 1, 0, 1]))
    assert [column.tolist() for column in columns] == [
        [LONG_NS, LONG_NS + 5], [later, later + 1], [0, 0], [0, 1],
    ]  # fmt: skip


@pytest.mark.parametrize("starts", [[], [0], [0, LONG_NS], [0, 3 * LONG_NS, LONG_NS, 4 * LONG_NS]])
def test_no_window_of_few_frames_or_of_such_as_are_in_no_order(starts: list[int]) -> None:
    assert [len(column) for column in windows_of(int64(starts), int64([0] * len(starts)))] == [0] * 4


def _steps(count: int) -> Iterator[Event]:
    """Decode steps that each wait for the device in `item()`, called from a person's own line."""
    yield frame("run.py(1): main", 0, 3000 * count)
    yield span("tracer/request#0", 0, 3000 * count)
    for step in range(count):
        at = 3000.0 * step
        yield span(f"tracer/decode#{step}", at, 2900)
        yield frame("run.py(7): next_token", at + 1, 2800)
        yield module("Linear_0", at + 2, 50)
        yield launch(at + 10, 5, step + 1)
        yield kernel("gemm", at + 20, 100, step + 1)
        yield frame("<built-in method item of Tensor object at 0x7f>", at + 1500, 900)
        yield call("cudaStreamSynchronize", at + 1600, 700)
        yield frame("run.py(30): bookkeeping", at + 2500, 20)


def _found(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Finding, list[Want]]:
    asked: list[Want] = []
    read = summarizing.read_source

    def counted(source: Any, want: Want, **options: Any) -> Trace:
        asked.append(want)
        return read(source, want, **options)

    monkeypatch.setattr(summarizing, "read_source", counted)
    summary = summarizing.summarize_file(path, Choices())
    return next(one for one in summary.findings if one.id == "sync-per-token"), asked


def test_enough_sampled_waits_tell_the_line_without_a_second_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trace.json"
    path.write_bytes(document(*_steps(120), with_stack=1))
    monkeypatch.setattr(source, "BLOCK_BYTES", 6000)
    found, asked = _found(path, monkeypatch)
    assert "by item() in run.py(7): next_token" in found.message
    assert not [want for want in asked if want & Want.FRAMES]
    located = found.evidence["waits_located"]
    assert found.evidence["lines"] == {"item() in run.py(7): next_token": located}
    assert python_lines.ENOUGH <= located < 120


def test_too_few_are_not_taken_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trace.json"
    path.write_bytes(document(*_steps(12), with_stack=1))
    found, asked = _found(path, monkeypatch)
    assert [want for want in asked if want & Want.FRAMES]
    assert found.evidence["lines"] == {"item() in run.py(7): next_token": 12}
    assert "waits_located" not in found.evidence

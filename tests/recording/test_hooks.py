from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from tracer.recording import marks as marks_module
from tracer.recording.clocks import HostClock, clock_for
from tracer.recording.encoders import EncoderWatch
from tracer.recording.hooks import RecorderHook
from tracer.recording.marks import Marks
from tracer.recording.ranges import Range, RangeEmitter


class _FakeClock:
    """A clock that a test moves."""

    name = "fake"

    def __init__(self) -> None:
        self.now, self._marks = 0, list[int]()

    def mark(self) -> None:
        self._marks.append(self.now)

    def read(self) -> list[int]:
        marks, self._marks = self._marks, []
        return [end - start for start, end in pairwise(marks)]


def test_stages_take_the_time_since_the_one_before_and_add_up_to_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _FakeClock()
    monkeypatch.setattr(marks_module, "clock_for", lambda _: clock)
    marks = Marks(torch.device("cpu"), adjoining=True)
    hook = RecorderHook(marks)
    with hook.request():
        for stage, index, ends in [
            ("load", None, 5), ("preprocess", None, 7), ("vision", None, 20), ("prefill", None, 50),
            ("decode", 1, 60), ("decode", 2, 75),
        ]:  # fmt: skip
            with hook.stage(stage, index):
                clock.now = ends
    latencies = marks.requests[0].latencies
    assert (latencies.load_ns, latencies.preprocess_ns, latencies.vision_ns, latencies.prefill_ns) == (5, 2, 13, 30)
    assert (latencies.decode_ns, latencies.first_step) == ([10, 15], 1)


def test_the_host_clock_forgets_what_was_read() -> None:
    clock = HostClock()
    clock.mark()
    clock.mark()
    assert len(clock.read()) == 1
    assert clock.read() == []
    assert clock_for(torch.device("cpu")).name == "host"


def test_ranges_reach_the_profiler_and_nest() -> None:
    emitter = RangeEmitter()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        with Range(emitter, "request", 3), Range(emitter, "decode", 1):
            torch.ones(1) + 1
    names = {event.key for event in profile.key_averages()}
    assert {"tracer/request#3", "tracer/decode#1"} <= names


def test_without_a_profiler_no_range_is_recorded() -> None:
    emitter = RangeEmitter()
    emitter.push("vision")
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        emitter.pop()  # opened before the profiler was on: nothing to close
    assert not [event for event in profile.key_averages() if event.key.startswith("tracer/")]


def test_the_watch_counts_calls_and_lets_go() -> None:
    module = torch.nn.Linear(2, 2)
    with EncoderWatch([module], RangeEmitter()) as watch:
        module(torch.ones(2))
        with pytest.raises(RuntimeError):
            module(torch.ones(3))  # a failing call closes its range all the same
    module(torch.ones(2))
    assert watch.calls == 2

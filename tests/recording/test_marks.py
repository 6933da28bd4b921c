"""Marks of somebody's own code: whose time is whose, wherever they stand."""

from __future__ import annotations

import asyncio
import threading
from contextlib import nullcontext
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tracer
from tracer.document.errors import InputError
from tracer.document.manifest import Latencies
from tracer.document.names import STAGES
from tracer.recording import marks as marks_module
from tracer.recording.laps import GAP, SWITCHING, Label, measure
from tracer.recording.marks import Marks, noticing_profilers
from tracer.recording.own.sitting import check_marks, sitting_of
from tracer.staging import recorded_by


class _Clock:
    """A clock that a test moves."""

    name = "fake"

    def __init__(self) -> None:
        self.now, self._marks = 0, list[int]()

    def made_for(self, _: object) -> _Clock:
        self._marks.clear()
        return self

    def mark(self) -> None:
        self._marks.append(self.now)

    def read(self) -> list[int]:
        marks, self._marks = self._marks, []
        return [end - start for start, end in pairwise(marks)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(marks_module, "clock_for", clock.made_for)
    return clock


def test_the_innermost_stage_has_the_time_and_gaps_are_told_apart(clock: _Clock) -> None:
    marks = Marks()
    with recorded_by(marks), tracer.request():
        clock.now += 1  # in no stage
        with tracer.stage("prefill"):
            clock.now += 10
            with tracer.stage("vision"):
                clock.now += 100
            clock.now += 20
        for index in (1, 2):
            clock.now += 3  # belongs to the step that follows
            with tracer.stage("decode", index=index):
                clock.now += 1000
        clock.now += 4
    (request,) = marks.requests
    assert request.stages == {"vision", "prefill", "decode"}
    assert request.latencies == Latencies(
        load_ns=0, preprocess_ns=0, vision_ns=100, prefill_ns=30, decode_ns=[1003, 1003], outside_ns=1,
        outside_later_ns=4,
    )  # fmt: skip


def test_stages_opened_again_add_up_and_decoding_may_be_marked_as_a_whole(clock: _Clock) -> None:
    marks = Marks()
    with recorded_by(marks), tracer.request():
        for _ in range(3):
            with tracer.stage("vision"):
                clock.now += 5
        with tracer.stage("decode"):
            clock.now += 70
    (request,) = marks.requests
    assert (request.latencies.vision_ns, request.latencies.decode_whole_ns) == (15, 70)
    assert request.latencies.decode_ns == []


LABELS = st.sampled_from([GAP, *((stage, None) for stage in STAGES), ("decode", 1), ("decode", 2), ("decode", 3)])


@given(st.lists(st.tuples(LABELS, st.integers(0, 10**12))))
def test_nothing_of_a_request_is_lost(laps: list[tuple[Label, int]]) -> None:
    latencies, stages = measure([label for label, _ in laps], [lap for _, lap in laps])
    parts = (
        latencies.load_ns, latencies.preprocess_ns, latencies.vision_ns, latencies.prefill_ns,
        latencies.decode_whole_ns, latencies.outside_ns, latencies.outside_later_ns, *latencies.decode_ns,
    )  # fmt: skip
    assert sum(parts) == sum(lap for _, lap in laps)
    assert stages == {label[0] for label, _ in laps} - {""}


def test_the_time_in_which_the_profiler_is_switched_is_nobodys() -> None:
    labels: list[Label] = [("prefill", None), GAP, SWITCHING, ("decode", 4)]
    latencies, _ = measure(labels, [10, 1, 500, 20])
    assert (latencies.prefill_ns, latencies.decode_ns, latencies.first_step) == (10, [20], 4)
    assert latencies.outside_ns + latencies.outside_later_ns == 0


def test_a_request_within_a_request_is_part_of_it(clock: _Clock) -> None:
    marks = Marks()
    with recorded_by(marks), tracer.request():
        with tracer.request(), tracer.stage("vision"):
            clock.now += 5
        clock.now += 1
    (request,) = marks.requests
    assert (request.latencies.vision_ns, request.latencies.outside_ns) == (5, 1)


def test_a_request_that_fails_is_not_measured_and_the_next_one_is(clock: _Clock) -> None:
    marks = Marks()
    with recorded_by(marks):
        with pytest.raises(KeyError), tracer.request(), tracer.stage("vision"):
            raise KeyError
        with tracer.request(), tracer.stage("load"):
            clock.now += 5
    assert marks.begun == 2
    assert [(request.number, request.latencies.load_ns) for request in marks.requests] == [(1, 5)]


def test_marks_on_other_threads_and_outside_requests_are_counted_only(clock: _Clock) -> None:
    marks = Marks()

    def elsewhere() -> None:
        with tracer.request(), tracer.stage("vision"):
            clock.now += 5

    with recorded_by(marks):
        with tracer.stage("load"):
            pass
        with tracer.request():
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
    (request,) = marks.requests
    assert request.stages == set()
    assert (marks.beside, marks.strays, marks.begun) == (1, 2, 1)


def test_a_request_of_another_task_is_none_of_the_open_one(clock: _Clock) -> None:
    marks = Marks()

    async def ask(turns: int) -> None:
        with tracer.request():
            for _ in range(turns):
                with tracer.stage("vision"):
                    clock.now += 5
                await asyncio.sleep(0)

    async def together() -> None:
        await asyncio.gather(ask(2), ask(3))

    with recorded_by(marks):
        asyncio.run(together())
    assert (marks.begun, marks.interleaved, marks.beside) == (1, 1, 0)
    with pytest.raises(InputError, match="1 of its requests began on a thread on which another was open"):
        check_marks(sitting_of(marks), "serve.py", "")


def test_tasks_that_a_request_starts_are_part_of_it(clock: _Clock) -> None:
    marks = Marks()

    async def encode() -> None:
        with tracer.stage("vision"):
            clock.now += 5

    async def ask() -> None:
        with tracer.request():
            await asyncio.gather(encode(), encode())
            with tracer.stage("prefill"):
                clock.now += 1

    with recorded_by(marks):
        asyncio.run(ask())
    (request,) = marks.requests
    assert (request.latencies.vision_ns, request.latencies.prefill_ns) == (10, 1)
    assert (marks.interleaved, marks.strays) == (0, 0)


@pytest.mark.parametrize("where", ["around", "between"])
def test_a_profiler_of_somebody_elses_is_noticed_and_refused(where: str) -> None:
    marks = Marks()
    profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
    with recorded_by(marks), noticing_profilers(marks):
        with profile if where == "around" else nullcontext(), tracer.request(), tracer.stage("vision"):
            with profile if where == "between" else nullcontext():
                torch.ones(9) + 1
    assert marks.profiled_itself
    with pytest.raises(InputError, match="mine.py: it starts a profiler of its own"):
        check_marks(sitting_of(marks), "mine.py", "")
    calm = Marks()
    with recorded_by(calm), noticing_profilers(calm), tracer.request(), tracer.stage("vision"):
        torch.ones(9) + 1
    assert not calm.profiled_itself


def test_a_request_that_cannot_begin_is_not_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = Marks()

    def lost(_: torch.device) -> None:
        raise RuntimeError("device lost")

    with recorded_by(marks):
        with monkeypatch.context() as patch:
            patch.setattr(marks_module, "synchronise", lost)
            with pytest.raises(RuntimeError, match="device lost"), tracer.request():
                pass
        with tracer.request():
            pass
    assert len(marks.requests) == 1

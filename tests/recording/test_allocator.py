"""Memory at the marks: whose each peak is, how steps make it grow, and that nothing is read where nothing counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tracer
from tracer.document.recorded_memory import RequestMemory, StageBytes
from tracer.recording.allocator import Reading, StageWatch, WatchedMarks, is_read_at, last_of_each, together
from tracer.recording.footprint import kv_token_bytes, recorded_memory, weight_bytes
from tracer.staging import recorded_by

CPU = torch.device("cpu")


class _Counters:
    """An allocator that a test moves."""

    def __init__(self, held: int = 0) -> None:
        self.now = Reading(held, held, held, held, held)
        self.reads = self.forgot = 0

    def hold(self, total: int) -> None:
        reserved = max(self.now.reserved, total + 5)
        self.now = Reading(
            total, max(self.now.allocated_peak, total), reserved, max(self.now.reserved_peak, reserved), total - 1
        )

    def read(self) -> Reading:
        self.reads += 1
        return self.now

    def forget_peaks(self) -> None:
        self.forgot += 1
        self.now = replace(self.now, allocated_peak=self.now.allocated, reserved_peak=self.now.reserved)


def _rows(memory: RequestMemory) -> dict[str, tuple[int, int | None, int]]:
    return {one.stage: (one.start_bytes, one.peak_bytes, one.end_bytes) for one in memory.stages}


def _record(counters: _Counters, *, adjoining: bool = False, forget: bool = True) -> WatchedMarks:
    return WatchedMarks(CPU, adjoining=adjoining, forget=forget, counters_of=lambda _: counters)


@pytest.mark.parametrize("adjoining", [True, False])
def test_before_peak_and_after_of_each_stage(adjoining: bool) -> None:
    counters = _Counters(100)
    marks = _record(counters, adjoining=adjoining)
    with recorded_by(marks), tracer.request():
        with tracer.stage("vision"):
            counters.hold(150)
            counters.hold(120)
        with tracer.stage("prefill"):
            counters.hold(300)
            counters.hold(200)
        for index in range(1, 5):
            with tracer.stage("decode", index=index):
                counters.hold(200 + 10 * index)
        counters.hold(100)
    (found,) = marks.memory.values()
    assert _rows(found) == {"vision": (100, 150, 120), "prefill": (120, 300, 200), "decode": (200, 240, 100)}
    assert [(one.index, one.requested_bytes) for one in found.steps] == [(2, 209), (3, 219), (4, 229)]
    prefill = found.stages[1]
    assert (prefill.reserved_bytes, prefill.end_reserved_bytes) == (305, 305)


def test_of_nested_stages_the_innermost_has_the_peak_and_a_stage_opened_again_is_one() -> None:
    counters = _Counters(10)
    marks = _record(counters)
    with recorded_by(marks), tracer.request():
        with tracer.stage("prefill"):
            counters.hold(20)
            with tracer.stage("vision"):
                counters.hold(90)
                counters.hold(30)
            counters.hold(40)
        counters.hold(500)  # in no stage
        counters.hold(35)
        with tracer.stage("vision"):
            counters.hold(60)
    (found,) = marks.memory.values()
    assert _rows(found) == {"prefill": (10, 40, 40), "vision": (20, 90, 60)}


def test_where_peaks_may_not_be_forgotten_only_a_new_one_is_known() -> None:
    counters = _Counters(10)
    marks = _record(counters, forget=False)
    with recorded_by(marks):
        for _ in range(2):
            with tracer.request():
                with tracer.stage("prefill"):
                    counters.hold(80)
                    counters.hold(30)
                with tracer.stage("vision"):
                    counters.hold(50)
    assert counters.forgot == 0
    first, second = marks.memory.values()
    assert _rows(first) == {"prefill": (10, 80, 30), "vision": (30, None, 50)}
    assert _rows(second) == {"prefill": (50, None, 30), "vision": (30, None, 50)}
    both = together([first, second])
    assert both is not None
    assert _rows(both) == {"prefill": (50, 80, 30), "vision": (30, None, 50)}
    assert together([]) is None


def test_a_request_that_fails_leaves_nothing() -> None:
    marks = _record(_Counters())
    with recorded_by(marks), pytest.raises(ValueError, match="broken"), tracer.request():
        raise ValueError("broken")
    assert marks.memory == {}


def test_a_cpu_has_no_counters() -> None:
    marks = WatchedMarks(CPU)
    with recorded_by(marks), tracer.request(), tracer.stage("prefill"):
        pass
    assert marks.memory == {}
    assert recorded_memory(None, CPU, []) is None


def test_steps_are_read_ever_more_seldom() -> None:
    assert [index for index in range(70) if is_read_at(index)] == [2, 3, 4, 8, 16, 32, 64]
    counters = _Counters()
    watch = StageWatch(counters)
    for index in range(1, 1000):
        watch.enter("decode", index)
    assert counters.reads == 2 + 10


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["vision", "prefill", "decode"]), st.lists(st.integers(0, 99))), min_size=1))
def test_peaks_of_the_stages_are_the_peak_of_the_request(made: list[tuple[str, list[int]]]) -> None:
    counters = _Counters(7)
    watch = StageWatch(counters)
    for stage, totals in made:
        watch.enter(stage, None)
        for total in totals:
            counters.hold(total)
    found = watch.end()
    peaks = [one.peak_bytes for one in found.stages if one.peak_bytes is not None]
    assert max(peaks) == max([7, *[total for _, totals in made for total in totals]])
    assert all(peak >= max(one.start_bytes, one.end_bytes) for peak, one in zip(peaks, found.stages, strict=True))


def test_of_several_requests_of_a_sample_the_last_counts() -> None:
    def one(bytes_: int) -> RequestMemory:
        row = StageBytes(stage="vision", start_bytes=bytes_, peak_bytes=bytes_, end_bytes=bytes_, reserved_bytes=0)
        return RequestMemory(stages=[row])

    found = last_of_each({0: one(1), 1: one(2), 2: one(3)}, {0: 5, 1: 0, 2: 5})
    assert [(request.sample, request.stages[0].start_bytes) for request in found] == [(0, 2), (5, 3)]


class _Network(torch.nn.Module):
    """Two layers of 4 heads, 2 of them for keys and values, each 8 wide."""

    dtype = torch.bfloat16

    def __init__(self, **changes: object) -> None:
        super().__init__()
        self.one = torch.nn.Linear(4, 4, bias=False)
        self.other = self.one  # shared weights are there once
        fields = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 32}
        self.config = type("Config", (), {**fields, **changes})()


def test_weights_and_the_cache_of_a_token_by_the_configuration() -> None:
    assert weight_bytes(_Network(), CPU) == 4 * 4 * 4
    assert kv_token_bytes(_Network()) == 2 * 2 * 2 * 8 * 2
    assert kv_token_bytes(_Network(head_dim=16)) == 2 * 2 * 2 * 16 * 2
    assert kv_token_bytes(_Network(num_key_value_heads=None)) == 2 * 2 * 4 * 8 * 2


@pytest.mark.parametrize(
    "changes", [{"kv_lora_rank": 512}, {"sliding_window": 4096}, {"layer_types": ["full_attention", "linear"]},
                {"num_hidden_layers": None}],
)  # fmt: skip
def test_a_cache_that_does_not_keep_every_token_is_not_reckoned(changes: dict[str, object]) -> None:
    assert kv_token_bytes(_Network(**changes)) is None

"""A timeline says what its trace says, and what its summary adds up to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.chrome import EVERYTHING, Event, call, document, kernel, launch, operator, read_bytes, span, trace_of
from support.packed import columns
from support.staged import staged_trace

from tracer.choices import Choices
from tracer.document.timeline import CALLS, IDLE, OPERATORS, RANGES, STAGES, STREAM, Timeline, Track
from tracer.summarize import charge, frames_of, read, summarize_charged
from tracer.timeline.draw import MOST_TRACKS, NEEDS, Most, timeline_of
from tracer.trace.columns import Trace
from tracer.trace.source import Source

CAUSES = ("host", "sync", "launch", "unknown", "between")


def _drawn(trace: Trace, most: Most | None = None) -> Timeline:
    charged = charge(trace, Choices())
    return timeline_of(charged, summarize_charged(charged, Choices()), most or Most())


def _read(path: Path, most: Most | None = None) -> tuple[Timeline, Any]:
    with Source(path) as source:
        trace = read(source, Choices(), also=NEEDS)
        charged = charge(trace, Choices())
        summary = summarize_charged(charged, Choices(), frames=frames_of(source, trace, Choices()))
    return timeline_of(charged, summary, most or Most()), summary


def _track(timeline: Timeline, kind: str) -> Track:
    (track,) = [track for track in timeline.tracks if track.kind == kind]
    return track


def test_a_kernel_is_drawn_with_its_stage_its_launch_and_the_gap_before_it() -> None:
    timeline = _drawn(
        trace_of(
            span("tracer/vision", 0, 100), launch(10, 2, 1), kernel("conv", 20, 5, 1),
            launch(30, 2, 2), kernel("gemm", 40, 10, 2),
        )
    )  # fmt: skip
    stream = columns(_track(timeline, STREAM))
    assert [timeline.names[name] for name in stream["name"]] == ["conv", "gemm"]
    assert (stream["start"], stream["length"]) == ([20_000, 40_000], [5_000, 10_000])
    calls = columns(_track(timeline, CALLS))
    assert [calls["start"][number - 1] for number in stream["call"]] == [10_000, 30_000]
    stages = columns(_track(timeline, STAGES))
    assert [timeline.stages[stages["stage"][run - 1]] for run in stream["run"]] == ["vision", "vision"]
    idle = columns(_track(timeline, IDLE))
    assert {cause: idle[cause] for cause in ("host", "launch")} == {"host": [5_000], "launch": [10_000]}
    assert (idle["start"], idle["length"]) == ([25_000], [15_000])
    assert [timeline.names[name] for name in columns(_track(timeline, RANGES))["name"]] == ["tracer/vision"]


def test_an_op_without_a_launch_or_a_stage_says_so_by_nought() -> None:
    stream = columns(_track(_drawn(trace_of(kernel("k", 5, 5), kernel("k", 20, 5))), STREAM))
    assert (stream["run"], stream["call"], stream["shape"]) == ([0, 0], [0, 0], [0, 0])


def test_calls_of_several_threads_are_numbered_through() -> None:
    events = [launch(1, 1, 1, tid=1), launch(5, 1, 2, tid=2), launch(9, 1, 3, tid=1)]
    timeline = _drawn(trace_of(*events, *[kernel("k", 20 * number, 5, number) for number in (1, 2, 3)]))
    starts = [start for track in timeline.tracks if track.kind == CALLS for start in columns(track)["start"]]
    begun = [starts[number - 1] for number in columns(_track(timeline, STREAM))["call"]]
    assert [one - min(begun) for one in begun] == [0, 4_000, 8_000]


def _lost(*more: Event) -> Trace:
    """A step whose graph left no ops, between two of a kernel each."""
    return trace_of(
        span("tracer/request#0", 0, 500), span("tracer/decode#1", 0, 90), launch(10, 5, 1), kernel("k", 20, 9, 1),
        span("tracer/decode#2", 100, 90), call("cudaGraphLaunch", 110, 5, 2),
        span("tracer/decode#3", 200, 90), launch(210, 5, 3), kernel("k", 220, 9, 3), *more,
    )  # fmt: skip


def test_where_launched_work_was_not_recorded_no_idle_time_is_drawn() -> None:
    kinds = [track.kind for track in _drawn(_lost()).tracks]
    assert IDLE not in kinds
    assert STREAM in kinds


def test_with_its_work_recorded_idle_time_is_drawn() -> None:
    kinds = [track.kind for track in _drawn(_lost(kernel("g", 120, 9, 2))).tracks]
    assert IDLE in kinds


def test_a_call_that_waits_is_marked() -> None:
    timeline = _drawn(trace_of(launch(1, 1, 1), call("cudaStreamSynchronize", 3, 9, 2), kernel("k", 4, 5, 1)))
    assert columns(_track(timeline, CALLS))["waits"] == [0, 1]


def test_gaps_add_up_to_what_the_summary_says(chrome_trace: Path) -> None:
    timeline, summary = _read(chrome_trace)
    gaps = [columns(track) for track in timeline.tracks if track.kind == IDLE]
    for gap in gaps:
        assert [sum(parts) for parts in zip(*(gap[cause] for cause in CAUSES), strict=True)] == gap["length"]
    if summary.device.kind == "gpu":
        assert sum(sum(gap["length"]) for gap in gaps) == summary.device.idle_ns


@pytest.mark.parametrize("most", [Most(), Most(ops=300, calls=300, gaps=300, ranges=50, stages=20)], ids=["all", "few"])
def test_kernels_in_the_table_are_all_that_there_are(chrome_trace: Path, most: Most) -> None:
    timeline, summary = _read(chrome_trace, most)
    assert sum(row.count for row in timeline.kernels) == summary.device.ops
    assert sum(row.time_ns for row in timeline.kernels) == summary.device.time_ns
    assert len(timeline.places) == len(summary.findings)
    assert all(0 <= row.longest.start_ns <= row.longest.end_ns <= timeline.length_ns for row in timeline.kernels)


def test_of_a_large_trace_neighbours_are_drawn_as_one_and_counted(tmp_path: Path) -> None:
    path = staged_trace(tmp_path / "run.json", steps=20, ops=50)
    whole, summary = _read(path)
    few, _ = _read(path, Most(ops=300, calls=300, gaps=300, ranges=300, stages=300))
    assert all(track.items == track.of for track in whole.tracks)
    streams = [track for track in few.tracks if track.kind == STREAM]
    assert any(track.items < track.of for track in streams)
    assert sum(track.of for track in streams) == summary.device.ops
    for track in streams:
        if track.items < track.of:
            assert sum(columns(track)["count"]) == track.of
    assert sum(sum(columns(track)[cause]) for track in few.tracks if track.kind == IDLE for cause in CAUSES) == (
        summary.device.idle_ns
    )


def test_of_very_many_streams_those_with_the_most_on_them_are_drawn() -> None:
    events = [kernel("k", 10 * stream, 5, stream=stream) for stream in range(60)]
    timeline = _drawn(trace_of(*events, *[kernel("k", 1000 + at, 1, stream=59) for at in range(0, 50, 10)]))
    assert len(timeline.tracks) == MOST_TRACKS
    assert timeline.left_out == 61 - MOST_TRACKS
    assert "stream 59" in {track.label for track in timeline.tracks}


def test_without_a_device_the_operators_are_drawn() -> None:
    timeline = _drawn(trace_of(span("tracer/prefill", 0, 50), operator("aten::mm", 1, 9), operator("aten::add", 20, 4)))
    operators = columns(_track(timeline, OPERATORS))
    assert [timeline.names[name] for name in operators["name"]] == ["aten::mm", "aten::add"]
    assert operators["run"] == [1, 1]
    assert [timeline.categories[name] for name in operators["name"]] == ["gemm", "elementwise"]
    assert not [track for track in timeline.tracks if track.kind == IDLE]


def test_of_nothing_there_is_nothing_to_draw() -> None:
    timeline = _drawn(trace_of(span("lonely", 5, 5)))
    assert [track.kind for track in timeline.tracks] == [RANGES]
    assert _drawn(trace_of()).tracks == []


def test_kernels_say_how_they_were_launched_the_most_time_first() -> None:
    def how(x: int) -> dict[str, Any]:
        return {"grid": [x, 1, 1], "block": [128, 1, 1], "registers per thread": 32, "shared memory": 7}

    events = [kernel("k", 0, 5, args=how(4)), kernel("k", 10, 9, args=how(8)), kernel("k", 20, 5, args=how(4))]
    (row,) = _drawn(read_bytes(document(*events), EVERYTHING | NEEDS)).kernels
    assert [(one.grid, one.count, one.time_ns) for one in row.launches] == [
        ((4, 1, 1), 2, 10_000),
        ((8, 1, 1), 1, 9_000),
    ]
    assert {(one.block, one.registers, one.shared_bytes, one.occupancy) for one in row.launches} == {
        ((128, 1, 1), 32, 7, None)
    }

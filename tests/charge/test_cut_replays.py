"""Replays of which a part was recorded, and graphs that have fewer ops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.chrome import Event, call, kernel, launch, trace_of

from tracer.arrays import I64, int64
from tracer.charge.cut_replays import cut_replays
from tracer.charge.launches import find_launches
from tracer.charge.replayed import replayed
from tracer.trace.columns import Trace, Want
from tracer.trace.reader import read_trace

NODES = 8
WHOLE = tuple(range(NODES))
SYNC, COPY, NOTHING = "cudaStreamSynchronize", "cudaMemcpyAsync", ""


def _replay(
    number: int, nodes: tuple[int, ...] = WHOLE, *, ran: tuple[int, ...] = WHOLE, behind: str = SYNC
) -> list[Event]:
    """Every 500 us a graph of kernels of 20 us each, 1 us apart, of which some ran and of these some were recorded.

    Behind them a wait, or a copy that is asked for at once.
    """
    at = 500.0 * number
    times = {node: at + 10 + 21 * place for place, node in enumerate(ran)}
    over = at + 10 + 21 * len(ran)
    events = [call("cudaGraphLaunch", at, 8, number)]
    events += [kernel(f"k{node}", times[node], 20, number) for node in nodes]
    if behind == SYNC:
        events.append(call(SYNC, at + 9, over + 3 - at - 9))
    if behind == COPY:
        events += [call(COPY, at + 9, 3, 1000 + number)]
        events.append(kernel("Memcpy DtoH", over + 1, 2, 1000 + number, cat="gpu_memcpy"))
    return events


def _cut(*replays: list[Event]) -> list[int]:
    """Which replays were found, by their number."""
    trace = trace_of(*[event for events in replays for event in events])
    return [int(trace.calls.correlation[row]) for row in cut_replays(trace, find_launches(trace))]


@pytest.mark.parametrize("behind", [SYNC, COPY])
@pytest.mark.parametrize("nodes", [WHOLE[3:], WHOLE[:5], WHOLE[:2] + WHOLE[5:], WHOLE[::2], WHOLE[:1]])
def test_what_a_replay_left_empty_was_lost_and_what_it_closed_up_over_did_not_run(
    nodes: tuple[int, ...], behind: str
) -> None:
    others = [_replay(number, behind=behind) for number in (1, 2, 4)]
    assert _cut(*others, _replay(3, nodes, behind=behind)) == [3]
    assert _cut(*others, _other(3, nodes, behind)) == []


def test_replays_that_all_lack_the_same_are_found_beside_a_single_whole_one() -> None:
    found = _cut(_replay(1), *[_replay(number, WHOLE[2:]) for number in (2, 3, 4)])
    assert found == [2, 3, 4]


def _other(number: int, nodes: tuple[int, ...], behind: str = SYNC) -> list[Event]:
    """A graph that has these nodes and no others."""
    return _replay(number, nodes, ran=nodes, behind=behind)


def test_graphs_of_two_batches_are_two_graphs() -> None:
    assert _cut(*[_other(number, WHOLE[: 5 + 3 * (number % 2)]) for number in range(1, 9)]) == []


@pytest.mark.parametrize("behind", [SYNC, NOTHING])
def test_a_branch_that_is_taken_now_and_then_is_not_lost_where_it_is_not(behind: str) -> None:
    taken = [WHOLE[:6] if number in (3, 6) else WHOLE for number in range(1, 9)]
    assert _cut(*[_other(number, nodes, behind) for number, nodes in enumerate(taken, 1)]) == []


def test_where_a_host_that_pauses_hides_the_end_one_beginning_among_equals_was_cut() -> None:
    others = [_replay(number, behind=NOTHING) for number in (1, 2, 4, 5)]
    cut = _replay(3, WHOLE[:3], behind=NOTHING)
    assert _cut(*others, cut) == [3]
    # Not the beginning of the same; two alike; another graph behind it; asked for with other work.
    assert _cut(*others, _other(3, WHOLE[:2] + WHOLE[3:4], NOTHING)) == []
    assert _cut(*others, cut, _replay(6, WHOLE[:3], behind=NOTHING), _replay(7, behind=NOTHING)) == []
    assert _cut(*others[:3], _other(5, (9,), NOTHING), _replay(4, WHOLE[:3], behind=NOTHING)) == []
    sampler = [launch(1900, 3, 77), kernel("sample", 1910, 5, 77)]
    assert _cut(*others, [*cut, *sampler]) == []


def test_the_last_of_a_piecewise_model_is_a_graph_of_its_own() -> None:
    # Asked for ahead, so that all run one behind the other; it is the beginning of those before it.
    events: list[Event] = []
    at = 400.0
    for number in range(1, 7):
        nodes = WHOLE if number < 6 else WHOLE[:5]
        events.append(call("cudaGraphLaunch", 10 * number, 8, number))
        events += [kernel(f"k{node}", at + 21 * place, 20, number) for place, node in enumerate(nodes)]
        at += 21 * len(nodes)
    events += [launch(90, 5, 50), kernel("sample", at + 3, 5, 50)]
    assert _cut(events) == []


def test_where_the_recording_stopped_the_last_replay_was_cut_unless_the_host_saw_its_end() -> None:
    others = [_replay(number, behind=NOTHING) for number in (1, 2, 3)]
    assert _cut(*others, _replay(4, WHOLE[:3], behind=NOTHING)) == [4]
    assert _cut(*others, _replay(4, WHOLE[:3])) == [4]
    assert _cut(*others, _other(4, WHOLE[:3])) == []
    # Of two graphs it may be a third.
    assert _cut(*others, _other(5, (9,), NOTHING), _replay(6, WHOLE[:3], behind=NOTHING)) == []


def test_replays_that_each_lack_something_else_are_found_without_a_whole_one_and_as_many_graphs_are_not() -> None:
    some = [tuple(node for node in WHOLE if node not in (first, first + 2)) for first in range(6)]
    assert _cut(*[_replay(number, nodes) for number, nodes in enumerate(some, 1)]) == list(range(1, 7))
    assert _cut(*[_other(number, nodes) for number, nodes in enumerate(some, 1)]) == []


def _waiting(*, lacking: int, behind: str = SYNC) -> list[Event]:
    """Five replays of a graph of kernels of 2 ms, of which all lack the last ones."""
    events: list[Event] = []
    for number in range(1, 6):
        at = 20_000.0 * number
        events += [call("cudaGraphLaunch", at, 8, number)]
        events += [kernel(f"k{node}", at + 10 + 2000 * node, 1999, number) for node in WHOLE[: NODES - lacking]]
        events.append(call(behind, at + 20, 2000 * NODES + 30))
    return events


def test_where_the_host_waits_long_behind_all_replays_of_a_graph_they_all_lack_the_rest() -> None:
    assert _cut(_waiting(lacking=3)) == [1, 2, 3, 4, 5]
    assert _cut(_waiting(lacking=0)) == []
    assert _cut(_waiting(lacking=3, behind="cudaFree")) == []
    assert _cut(_waiting(lacking=3)[:10]) == []
    # A function of the host may be what was waited for.
    assert _cut(_waiting(lacking=3), [call("cudaLaunchHostFunc", 5, 2)]) == []


def _fine(number: int) -> list[Event]:
    """A graph of 300 nodes of 2 us, 4 us apart: twice as long nothing runs as something does."""
    at = 20_000.0 * number
    nodes = [kernel(f"k{node % 4}", at + 10 + 6 * node, 2, number) for node in range(300)]
    return [call("cudaGraphLaunch", at, 8, number), *nodes, call(SYNC, at + 20, 1795)]


def test_where_nothing_runs_for_long_inside_all_replays_of_a_graph_they_all_lack_what_did() -> None:
    kept = ("k0", "k3", "k5", "k7", "cudaGraphLaunch", SYNC)
    torn = [event for event in _waiting(lacking=0) if event["name"] in kept]
    assert _cut(torn) == [1, 2, 3, 4, 5]
    # Other work fills the time; a function of the host does; or it is the time between many nodes.
    others = [kernel("other", 20_000 * number + 5, 17_000, stream=9) for number in range(1, 6)]
    assert _cut(torn, others) == []
    assert _cut(torn, [call("cudaLaunchHostFunc", 5, 2)]) == []
    assert _cut(*map(_fine, range(1, 6))) == []


def _paused(number: int, pauses: dict[int, float], grow: float = 0.0) -> list[Event]:
    """A graph of 40 nodes of 20 us, before some of which the device does nothing for so long."""
    at, time = 20_000.0 * number, 20_000.0 * number + 10
    events = [call("cudaGraphLaunch", at, 8, number)]
    for node in range(40):
        time += pauses.get(node, 0.0) + (grow * number if node in pauses else 0.0)
        events.append(kernel(f"k{node % 4}", time, 20, number))
        time += 21
    return [*events, call(SYNC, at + 9, time + 3 - at - 9)]


def test_holes_at_other_places_or_of_other_lengths_in_each_replay_are_not_lost_nodes() -> None:
    same = [_paused(number, {8: 400, 16: 300, 24: 500}, grow=5) for number in range(1, 9)]
    assert _cut(*same) == list(range(1, 9))
    # Another program has the device for a while; functions of the host are nodes of the graph.
    elsewhere = [_paused(number, {(7 * number) % 39 + 1: 2000.0}) for number in range(1, 9)]
    assert _cut(*elsewhere) == []
    at_times = [_paused(number, {8: 300 + 97 * (number % 3), 16: 520 - 110 * (number % 4)}) for number in range(1, 9)]
    assert _cut(*at_times) == []


def test_a_clock_of_its_own_tells_nothing_of_the_time_before_and_behind() -> None:
    early = [
        {**event, "ts": event["ts"] - 300} if event["cat"] == "kernel" else event
        for events in [*[_replay(number) for number in (1, 2, 4)], _replay(3, WHOLE[3:])]
        for event in events
    ]
    assert _cut(early) == []


def _compiled(data: Path) -> tuple[Trace, I64]:
    trace = read_trace(data / "bare/hf_static_compiled.json.gz", Want.SUMMARY, jobs=1)
    return trace, find_launches(trace)


@pytest.mark.parametrize("lost", [slice(0, 30), slice(40, 60), slice(70, 126), slice(1, 126, 3), 39, 64, 104])
def test_of_a_real_replay_what_is_dropped_is_found_and_what_is_left_out_in_time_is_not(
    data: Path, lost: slice | int
) -> None:
    trace, call = _compiled(data)
    replays = replayed(trace, call)
    assert replays is not None
    assert len(cut_replays(trace, call)) == 0
    rows = replays.rows[replays.part(6)]
    lost = slice(lost, lost + 1) if isinstance(lost, int) else lost
    dropped = _without(trace, rows[lost])
    found = cut_replays(dropped, find_launches(dropped))
    assert found.tolist() == [replays.call[6]]
    closed = _without(_closed_up(trace, rows[lost], int(trace.calls.end_ns[replays.call[6]])), rows[lost])
    assert len(cut_replays(closed, find_launches(closed))) == 0


def _without(trace: Trace, rows: I64) -> Trace:
    kept = np.ones(len(trace.ops), dtype=np.bool_)
    kept[rows] = False
    return replace(trace, ops=trace.ops[kept])


def _closed_up(trace: Trace, rows: I64, since_ns: int) -> Trace:
    """The same without the time of these ops and the gap behind each."""
    ops, calls = trace.ops, trace.calls
    took_ns = ops.end_ns[rows] - ops.start_ns[rows] + 450
    order = np.argsort(ops.end_ns[rows])
    sums = np.append(0, np.cumsum(took_ns[order]))

    def earlier(times_ns: I64) -> I64:
        return int64(times_ns - sums[np.searchsorted(ops.end_ns[rows][order], times_ns, side="right")])

    shift = np.where(calls.start_ns >= since_ns, sums[-1], 0)
    return replace(
        trace,
        ops=replace(ops, start_ns=earlier(ops.start_ns), end_ns=earlier(ops.start_ns) + ops.end_ns - ops.start_ns),
        calls=replace(calls, start_ns=calls.start_ns - shift, end_ns=calls.end_ns - shift),
    )


def test_of_more_different_graphs_than_a_table_may_hold_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [_replay(number) for number in (1, 2, 4)] + [_replay(3, WHOLE[3:])]
    monkeypatch.setattr("tracer.charge.replayed.MOST_CELLS", 2 * NODES)
    assert _cut(*events) == [3]
    monkeypatch.setattr("tracer.charge.replayed.MOST_CELLS", 2 * NODES - 1)
    assert _cut(*events) == []

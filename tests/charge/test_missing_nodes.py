"""Replays that lack single nodes, laid beside whole ones, and replays in which these did not run."""

from __future__ import annotations

import pytest
from support.chrome import Event, call, kernel, trace_of

from tracer.charge.cut_replays import cut_replays
from tracer.charge.launches import find_launches

WHOLE = tuple(range(16))
WAITING, AHEAD = "waiting", "ahead"


def _replays(
    *nodes: tuple[tuple[int, ...], tuple[int, ...]],
    took: float = 2.0,
    host: str = WAITING,
    rows: int = 16,
    streams: int = 1,
) -> list[int]:
    """Which of some replays were found, by their number; of each what ran and what of that was recorded.

    Their kernels are `took` us long and 1 us apart, on each stream by themselves, of as many names as `rows`; the host
    waits for each replay, or asks for the next one long before.
    """
    events: list[Event] = []
    asked, free = 1000.0, 0.0
    for number, (ran, recorded) in enumerate(nodes):
        events.append(call("cudaGraphLaunch", asked, 8, number))
        # Launches take their time, and no two the same.
        begin = max(free + 1.5, asked + 9 + number % 3 / 4)
        ends = dict.fromkeys(range(streams), begin)
        for node in ran:
            stream = node % streams
            length = took * (1 + (node + number) % 3 / 40)
            if node in recorded:
                events.append(kernel(f"k{node % rows}", ends[stream], length, number, stream=7 + stream))
            ends[stream] += length + 1
        free = max(ends.values())
        if host == WAITING:
            events.append(call("cudaStreamSynchronize", asked + 9, free + 4 - asked - 9))
        asked = free + 6 if host == WAITING else asked + 12
    trace = trace_of(*events)
    return [int(trace.calls.correlation[row]) for row in cut_replays(trace, find_launches(trace))]


LACKING = {
    "one": WHOLE[:6] + WHOLE[7:],
    "two apart": WHOLE[:3] + WHOLE[4:9] + WHOLE[10:],
    "some in a row": WHOLE[:5] + WHOLE[9:],
    "the first three": WHOLE[3:],
    "the last three": WHOLE[:-3],
}


@pytest.mark.parametrize("host", [WAITING, AHEAD])
@pytest.mark.parametrize("rows", [16, 4, 1])
@pytest.mark.parametrize("nodes", LACKING.values(), ids=LACKING)
def test_single_kernels_of_two_microseconds_that_a_replay_lost_are_missed_and_those_that_did_not_run_are_not(
    nodes: tuple[int, ...], rows: int, host: str
) -> None:
    others = [(WHOLE, WHOLE)] * 5
    assert _replays(*others, (WHOLE, nodes), *others, rows=rows, host=host) == [5]
    assert _replays(*others, (nodes, nodes), *others, rows=rows, host=host) == []


def test_a_kernel_lost_beside_another_stream_is_missed_and_one_whose_follower_may_wait_for_that_is_not() -> None:
    apart = tuple(node for node in WHOLE if node % 2 == 0 or node < 4)
    lost, others = tuple(node for node in apart if node != 10), [(apart, apart)] * 5
    assert _replays(*others, (apart, lost), *others, streams=2) == [5]
    assert _replays(*others, (lost, lost), *others, streams=2) == []
    # Here the two end alike, as where one waits for the other.
    both = [(WHOLE, WHOLE)] * 5
    assert _replays(*both, (WHOLE, WHOLE[:6] + WHOLE[7:]), *both, streams=2) == []


def test_branches_and_loops_of_conditional_nodes_are_not_lost_where_they_did_not_run() -> None:
    branches = [WHOLE if number % 3 else WHOLE[:4] + WHOLE[8:] for number in range(12)]
    assert _replays(*[(one, one) for one in branches]) == []
    loops = [(0, 1, *(2, 3) * (1 + number * number % 5), 4) for number in range(12)]
    assert _replays(*[(one, one) for one in loops]) == []


def test_of_losses_at_random_every_replay_is_found() -> None:
    recorded = [tuple(node for node in WHOLE if (7 * number + node) % 23 or node in (0, 15)) for number in range(40)]
    lost = [number for number, nodes in enumerate(recorded) if nodes != WHOLE]
    assert 8 < len(lost) < 32
    assert _replays(*[(WHOLE, nodes) for nodes in recorded], host=AHEAD) == lost


def test_a_graph_of_its_own_has_a_gap_where_the_other_has_a_short_node() -> None:
    # As often replayed as the other: of one batch a reduction runs between two products, of the other none.
    lacking = WHOLE[:6] + WHOLE[7:]
    kinds = [(WHOLE, WHOLE), (WHOLE, lacking)]
    assert _replays(*kinds * 6) == []
    assert _replays(*kinds * 6, took=8.0) == [1, 3, 5, 7, 9, 11]
    assert _replays(*[(WHOLE, WHOLE)] * 30, *kinds * 3) == [31, 33, 35]

"""Made runs with a planted straggler: the answer is the planted one, to the nanosecond."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.ranks import COMPUTE, Event, Plan, play, write

from tracer.choices import Choices
from tracer.document.ranks import Ranks, decode, encode
from tracer.ranks.analyse import analyse
from tracer.ranks.stragglers import mostly

if TYPE_CHECKING:
    from pathlib import Path

CHOICES = Choices(jobs=1)
LATE = 2_000_000


def answer(folder: Path, plan: Plan, *, without: tuple[int, ...] = ()) -> Ranks:
    """What is said of a played run, of some ranks perhaps no trace."""
    found = analyse([path for rank, path in enumerate(write(folder, plan)) if rank not in without], CHOICES)
    assert decode(encode(found)) == found
    return found


def named(found: Ranks) -> list[tuple[int, str, str, int, int]]:
    return sorted((one.rank, one.stage, one.cause, one.late_ns, one.passes) for one in found.stragglers)


def planted(rank: int, cause: str, late_ns: int, passes: int) -> list[tuple[int, str, str, int, int]]:
    """Of a run whose first pass is prefill."""
    return [(rank, "decode", cause, late_ns * (passes - 1), passes - 1), (rank, "prefill", cause, late_ns, 1)]


def test_nobody_is_named_where_nothing_was_planted(tmp_path: Path) -> None:
    found = answer(tmp_path, Plan(ranks=4))
    assert found.stragglers == []
    assert found.findings == []
    assert (found.collectives, found.matched, found.clock, found.clock_residual_ns) == (24, 24, "shared", 0)
    assert {step.critical_rank for step in found.steps} == {None}


@pytest.mark.parametrize("cause", ["device", "network"])
def test_the_planted_rank_is_named_with_its_cause_and_time(tmp_path: Path, cause: str) -> None:
    plan = Plan(ranks=4, **{cause: {2: LATE}})  # type: ignore[arg-type]
    found = answer(tmp_path, plan)
    assert named(found) == planted(2, cause, LATE, 4)
    assert [finding.id for finding in found.findings].count("rank-straggler") == 2


def test_a_late_host_is_late_by_what_its_device_and_the_others_felt(tmp_path: Path) -> None:
    """The host is 40 us a layer of 440 us, so that its queue hides some of what it loses."""
    found = answer(tmp_path, Plan(ranks=4, host={1: LATE}))
    events = play(Plan(ranks=4, host={1: LATE}))
    arrivals = [[e["ts"] for e in own if "Collective name" in e["args"]] for own in events]
    felt = [
        round(1000 * (late - max(arrivals[rank][place] for rank in (0, 2, 3))))
        for place, late in enumerate(arrivals[1])
        if place % 6 == 2
    ]
    assert 0 < min(felt) <= max(felt) < LATE
    assert named(found) == [(1, "decode", "host", sum(felt[1:]), 3), (1, "prefill", "host", felt[0], 1)]


def test_of_a_late_device_the_slower_kernel_is_named(tmp_path: Path) -> None:
    found = answer(tmp_path, Plan(ranks=3, device={0: LATE}))
    (decode,) = [one for one in found.stragglers if one.stage == "decode"]
    assert [(row.name, row.time_ns - row.others_ns) for row in decode.kernels] == [(COMPUTE, 3 * LATE)]


def test_waiting_and_transfer_are_the_collectives_time_exactly(tmp_path: Path) -> None:
    found = answer(tmp_path, Plan(ranks=3, device={0: LATE}, network={1: 50_000}, clock={2: -300_000_000}))
    for rank in found.ranks:
        for row in rank.stages:
            assert row.wait_ns + row.transfer_ns == row.collective_ns
            assert row.exposed_ns == row.collective_ns  # one stream: nothing runs beside it
            assert min(row.wait_ns, row.transfer_ns) >= 0
            parts = [one for step in found.steps if step.stage == row.stage for one in step.ranks]
            own = [one for one in parts if one.rank == rank.rank]
            assert sum(one.wait_ns for one in own) == row.wait_ns
            assert sum(one.transfer_ns for one in own) == row.transfer_ns


def test_a_missing_rank_is_named_and_the_rest_answered(tmp_path: Path) -> None:
    found = answer(tmp_path, Plan(ranks=4, device={1: LATE}), without=(3,))
    assert (found.world_size, found.missing) == (4, [3])
    assert named(found) == planted(1, "device", LATE, 4)
    assert found.bandwidth == []
    assert any("rank 3" in one.reason for one in found.abstained)


@pytest.mark.parametrize("listed", [True, False])
def test_without_metadata_the_collectives_say_that_a_rank_is_missing(tmp_path: Path, *, listed: bool) -> None:
    plan = Plan(ranks=4, device={1: LATE})
    played = play(plan)
    for event in [event for events in played for event in events if "Collective name" in event["args"]]:
        event["args"] |= {} if listed else {"Process Group Ranks": "[0, 1, ...]"}
    paths = write(tmp_path, plan, played)
    for path in paths:
        path.write_text(path.read_text().replace("distributedInfo", "nothing"))
    found = analyse(paths[:3], CHOICES)
    assert (found.world_size, found.missing, found.bandwidth) == (4, [3], [])
    assert named(found) == planted(1, "device", LATE, 4)


def test_where_the_missing_rank_is_the_late_one_nobody_else_is_named(tmp_path: Path) -> None:
    found = answer(tmp_path, Plan(ranks=4, device={3: LATE}), without=(3,))
    assert found.stragglers == []
    assert "communication-bound" not in {finding.id for finding in found.findings}


def test_reordered_collectives_are_reported_and_not_shifted_over(tmp_path: Path) -> None:
    plan = Plan(ranks=2, device={1: LATE})
    played = play(plan)
    of_rank = [event for event in played[1] if "Collective name" in event["args"]]
    other = of_rank[9]  # the fourth of decode#1
    other["args"] = {**other["args"], "In msg nelems": 8, "Out msg nelems": 8}
    found = analyse(write(tmp_path, plan, played), CHOICES)
    assert (found.collectives, found.matched) == (24, 21)
    (said,) = [one for one in found.abstained if "decode#1" in one.what]
    assert "from number 4 of 6 on" in said.reason
    assert named(found) == planted(1, "device", LATE, 4)  # what it lost, it lost at the third


def test_a_collective_that_one_rank_lacks_leaves_its_pass_unanswered_and_no_other(tmp_path: Path) -> None:
    plan = Plan(ranks=2, device={1: LATE})
    played = play(plan)
    lost = [event for event in played[0] if "Collective name" in event["args"]][7]
    found = analyse(write(tmp_path, plan, [[e for e in played[0] if e is not lost], played[1]]), CHOICES)
    assert found.matched == 18
    assert "rank 0 has 5, rank 1 has 6" in next(one.reason for one in found.abstained if "decode#1" in one.what)
    assert named(found) == [(1, "decode", "device", 2 * LATE, 2), (1, "prefill", "device", LATE, 1)]


def test_nothing_rests_on_less_than_the_clocks_residual(tmp_path: Path) -> None:
    """The ends scatter by up to 3 ms, so that being 2 ms late says nothing."""
    plan = Plan(ranks=2, device={1: LATE}, layers=6)
    played = play(plan)
    for place, event in enumerate(e for e in played[1] if "Collective name" in e["args"]):
        event["dur"] += (0, 3000)[place % 2]
    found = analyse(write(tmp_path, plan, played), CHOICES)
    assert found.clock_residual_ns is not None
    assert found.clock_residual_ns >= LATE
    assert [one for one in found.stragglers if one.pass_ns <= found.clock_residual_ns] == []


CAUSES = st.sampled_from(["host", "device", "network"])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ranks=st.sampled_from([2, 3, 5, 8, 64]),
    rank=st.integers(0, 63),
    cause=CAUSES,
    ahead=st.lists(st.integers(-1_000_000, 1_000_000), min_size=64, max_size=64),
)
def test_whatever_the_clocks_say_the_planted_rank_is_named(
    tmp_path: Path, ranks: int, rank: int, cause: str, ahead: list[int]
) -> None:
    """Clocks are off by up to a second, and every rank has device 0, so that nothing says they share a host."""
    rank %= ranks
    passes, layers = (4, 4) if ranks < 64 else (3, 4)
    clock = {number: 1000 * ahead[number] for number in range(ranks)}
    plan = Plan(
        ranks=ranks, passes=passes, layers=layers, clock=clock, devices=dict.fromkeys(range(ranks), 0),
        **{cause: {rank: LATE}},  # type: ignore[arg-type]
    )  # fmt: skip
    found = answer(tmp_path, plan)
    assert {(one.rank, one.cause) for one in found.stragglers} == {(rank, cause)}
    assert {one.clock_offset_ns for one in found.ranks} == {clock[n] - clock[0] for n in range(ranks)}
    if cause != "host":
        assert named(found) == planted(rank, cause, LATE, passes)


@pytest.mark.parametrize(
    ("count", "of", "most"),
    [(1, 1, True), (3, 4, False), (4, 4, True), (5, 5, True), (4, 5, False), (6, 7, False), (7, 7, True), (9, 10, True),
     (8, 10, False), (15, 20, True), (14, 20, False), (215, 400, False), (217, 400, True), (518, 1000, False),
     (527, 1000, True), (0, 0, False)],
)  # fmt: skip
def test_most_runs_are_more_than_half_beyond_chance(count: int, of: int, *, most: bool) -> None:
    assert mostly(count, of) == most


@pytest.mark.parametrize(("late", "is_named"), [(6, False), (7, True)])
def test_a_rank_that_is_late_in_a_run_by_chance_is_not_named(tmp_path: Path, late: int, *, is_named: bool) -> None:
    """Of seven decode steps its kernel is slower in so many."""
    plan = Plan(ranks=2, passes=8)
    slow, even = (play(Plan(ranks=2, passes=8, device={1: more})) for more in (LATE, 0))
    assert [event["name"] for event in slow[1]] == [event["name"] for event in even[1]]
    found = analyse(write(tmp_path, plan, _mixed(slow, even, late)), CHOICES)
    assert ("decode" in {one.stage for one in found.stragglers}) == is_named
    if is_named:
        (one,) = [one for one in found.stragglers if one.stage == "decode"]
        assert (one.passes, one.of_passes) == (7, 7)


def _mixed(slow: list[list[Event]], even: list[list[Event]], late: int) -> list[list[Event]]:
    """The first steps of one run, and behind them those of another, moved to where these end."""
    mixed = []
    for slower, evener in zip(slow, even, strict=True):
        at = next(i for i, event in enumerate(slower) if event["name"] == f"tracer/decode#{late}") + 1
        moved = max(slow[0][at - 1]["ts"] + slow[0][at - 1]["dur"], slower[at - 1]["ts"] + slower[at - 1]["dur"]) - (
            even[0][at - 1]["ts"] + even[0][at - 1]["dur"]
        )
        mixed.append(slower[:at] + [{**event, "ts": event["ts"] + moved} for event in evener[at:]])
    return mixed

"""Ranks that ran on CPUs: their collectives are gloo's, their work is what operators did between them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.ranks import KERNEL_NS, TRANSFER_NS, Event, Plan, play_on_processors, write

from reports.document import of_ranks
from reports.render.text import render
from tracer.choices import Choices
from tracer.document.errors import InputError
from tracer.perfetto.merge import merge
from tracer.ranks.analyse import analyse

if TYPE_CHECKING:
    from pathlib import Path

    from tracer.document.ranks import Ranks

CHOICES = Choices(jobs=1)
LATE = 2_000_000


def answer(folder: Path, plan: Plan, played: list[list[Event]] | None = None) -> Ranks:
    return analyse(write(folder, plan, play_on_processors(plan) if played is None else played), CHOICES)


def named(found: Ranks) -> list[tuple[int, str, str, int, int]]:
    return sorted((one.rank, one.stage, one.cause, one.late_ns, one.passes) for one in found.stragglers)


@pytest.mark.parametrize("clock", [{}, {1: 700_000_000}])
@pytest.mark.parametrize("cause", ["host", "device", "network"])
def test_the_planted_rank_is_named_with_its_cause_and_time(tmp_path: Path, cause: str, clock: dict[int, int]) -> None:
    found = answer(tmp_path, Plan(ranks=3, clock=clock, **{cause: {1: LATE}}))  # type: ignore[arg-type]
    assert named(found) == [(1, "decode", cause, 3 * LATE, 3), (1, "prefill", cause, LATE, 1)]
    assert (found.collectives, found.matched, found.abstained) == (24, 24, [])
    assert {rank.device for rank in found.ranks} == {"CPU"}


def test_nobody_is_named_where_nothing_was_planted(tmp_path: Path) -> None:
    found = answer(tmp_path, Plan(ranks=3))
    assert (found.stragglers, found.matched) == ([], 24)
    assert {finding.id for finding in found.findings} == set()


def test_waiting_and_transfer_are_the_collectives_time_and_operators_the_rest(tmp_path: Path) -> None:
    found = answer(tmp_path, Plan(ranks=3, device={0: LATE}, network={1: 50_000}))
    for rank in found.ranks:
        for row in rank.stages:
            assert row.wait_ns + row.transfer_ns == row.collective_ns
            late = LATE if rank.rank == 0 else 0
            # An operator inside another counts once, and what asks for a collective is no work.
            assert row.device_time_ns - row.collective_ns == row.runs * (6 * KERNEL_NS + late)
            assert row.exposed_ns == row.collective_ns


def test_collectives_without_any_operator_are_refused_since_nothing_tells_work_from_the_host(tmp_path: Path) -> None:
    played = play_on_processors(Plan(ranks=2))
    alone = [[event for event in events if event["name"].startswith("gloo:")] for events in played]
    with pytest.raises(InputError, match="no operators, so that nothing tells what a rank did between them"):
        answer(tmp_path, Plan(ranks=2), alone)


def test_collectives_of_a_rank_that_nobody_is_known_to_have_asked_for_are_in_no_stage(tmp_path: Path) -> None:
    played = play_on_processors(Plan(ranks=2))
    without = [[event for event in events if not event["name"].startswith("c10d::")] for events in played]
    found = answer(tmp_path, Plan(ranks=2), without)
    assert (found.collectives, found.matched) == (24, 24)
    assert all(row.collective_ns == 0 for rank in found.ranks for row in rank.stages if row.stage)


def test_a_thread_of_ours_that_works_on_hides_a_collective(tmp_path: Path) -> None:
    plan = Plan(ranks=2, passes=1, layers=1)
    played = play_on_processors(plan)
    for events in played:
        (gloo,) = [event for event in events if event["name"] == "gloo:all_reduce"]
        events.append({**gloo, "cat": "cpu_op", "name": "aten::mm", "tid": 1, "ts": gloo["ts"] + 1, "dur": 10.0})
    (row,) = answer(tmp_path, plan, played).ranks[0].stages
    assert (row.collective_ns, row.exposed_ns) == (TRANSFER_NS, TRANSFER_NS - 10_000)


def test_a_collective_that_nobody_is_known_to_have_asked_for_names_no_host(tmp_path: Path) -> None:
    plan = Plan(ranks=2, host={1: LATE})
    played = play_on_processors(plan)
    for events in played:
        events.remove(next(event for event in events if event["name"] == "c10d::allreduce_"))
    found = answer(tmp_path, plan, played)
    assert found.stragglers == []
    assert {row.stage for rank in found.ranks for row in rank.stages if row.collective_ns} == {""}


def test_groups_of_different_ranks_are_refused_and_of_the_same_are_not(tmp_path: Path) -> None:
    plan = Plan(ranks=4, device={1: LATE})
    for members, refused in (([0, 1], True), ([3, 2, 1, 0], False)):
        paths = write(tmp_path, plan, play_on_processors(plan))
        for path in paths:
            document = json.loads(path.read_text())
            groups = [{"pg_name": "0", "ranks": [0, 1, 2, 3]}, {"pg_name": "1", "ranks": members}]
            document["distributedInfo"]["pg_config"] = groups
            path.write_text(json.dumps(document))
        if refused:
            with pytest.raises(InputError, match="groups of different ranks"):
                analyse(paths, CHOICES)
        else:
            assert {one.rank for one in analyse(paths, CHOICES).stragglers} == {1}


def test_without_collectives_of_gloo_ranks_of_a_cpu_are_refused(tmp_path: Path) -> None:
    plan = Plan(ranks=2)
    played = [[event for event in events if "gloo" not in event["name"]] for events in play_on_processors(plan)]
    with pytest.raises(InputError, match=r"no device work and no collective of gloo's"):
        answer(tmp_path, plan, played)


def test_ranks_of_one_machine_share_its_clock_whatever_the_ends_of_collectives(tmp_path: Path) -> None:
    """gloo's threads of rank 1 are always woken 200 us late; of machines that say no name that would be a clock."""
    plan = Plan(ranks=2, network={1: 200_000}, at=None)
    paths = write(tmp_path, plan, play_on_processors(plan))
    assert analyse(paths, CHOICES).clock == "estimated"
    for path in paths:
        path.write_text(json.dumps({"host_name": "node7", **json.loads(path.read_text())}))
    found = analyse(paths, CHOICES)
    assert (found.clock, [rank.clock_offset_ns for rank in found.ranks]) == ("shared", [0, 0])


def test_merged_into_one_file_they_say_the_same(tmp_path: Path) -> None:
    plan = Plan(ranks=3, device={2: LATE})
    paths = write(tmp_path / "run", plan, play_on_processors(plan))
    assert merge(paths, tmp_path / "merged.json", CHOICES).left_out == 0
    apart, found = analyse(paths, CHOICES), analyse([tmp_path / "merged.json"], CHOICES)
    assert [one.stages for one in found.ranks] == [one.stages for one in apart.ranks]
    assert found.stragglers == apart.stragglers


def test_the_report_speaks_of_operators(tmp_path: Path) -> None:
    text = " ".join(render(of_ranks(answer(tmp_path, Plan(ranks=2, device={1: LATE}))), width=100).split())
    assert "its operators take longer before the collectives" in text
    assert "gloo's ranges, on its own threads" in text
    assert "kernels" not in text

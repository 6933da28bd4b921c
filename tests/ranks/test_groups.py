"""Ranks in several groups, or that work beside their collectives: the answer is the planted one, to the nanosecond."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.mesh import JOIN, Meet, Send, Step, Work, mesh, play_steps
from support.ranks import Plan, write

from tracer.choices import Choices
from tracer.ranks.analyse import analyse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from support.ranks import Event

    from tracer.document.ranks import Ranks

CHOICES = Choices(jobs=1)
LATE, PASSES = 2_000_000, 4
FAR = {rank: (rank * 37 % 11 - 5) * 90_000_000 for rank in range(8)}


def answer(
    folder: Path, ranks: int, steps: Sequence[Step], *, clock: dict[int, int] | None = None,
    without: int | None = None, **planted: dict[tuple[int, int], int],
) -> Ranks:  # fmt: skip
    paths = write(folder, Plan(ranks=ranks), play_steps(ranks, steps, PASSES, clock=clock, **planted))
    found = analyse([path for rank, path in enumerate(paths) if rank != without], CHOICES)
    for rank in found.ranks:
        for row in rank.stages:
            assert row.wait_ns + row.transfer_ns + row.unmatched_ns == row.collective_ns
    return found


def named(found: Ranks) -> list[tuple[int, str, str, int, int]]:
    return sorted((one.rank, one.stage, one.cause, one.late_ns, one.passes) for one in found.stragglers)


def late(rank: int, cause: str, late_ns: int = LATE) -> list[tuple[int, str, str, int, int]]:
    return [(rank, "decode", cause, late_ns * (PASSES - 1), PASSES - 1), (rank, "prefill", cause, late_ns, 1)]


def in_mesh(tensor: int, data: int, pipeline: int = 1) -> list[Step]:
    """Six layers, in the middle of which a pipeline hands over, and one collective over what is alike."""
    tensors, datas, pairs = mesh(tensor, data, pipeline)
    layer: list[Step] = [Work(), Meet("tp", tensors)]
    return [*layer * 3, *([Send(pairs)] if pairs else []), *layer * 3, Work(), Meet("dp", datas)]


@pytest.mark.parametrize("clock", [None, FAR], ids=["one clock", "clocks apart"])
@pytest.mark.parametrize("shape", [(2, 2), (4, 2), (2, 2, 2)], ids=str)
@pytest.mark.parametrize(("cause", "step"), [("device", 2), ("network", 3)])
def test_a_rank_that_is_late_in_one_group_is_late_once(
    tmp_path: Path, shape: tuple[int, ...], cause: str, step: int, clock: dict[int, int] | None
) -> None:
    """Its peers of the tensor wait for it, are late for the others of the data themselves, and are not blamed; nor is
    whoever waits for a receipt further down the pipeline."""
    ranks = shape[0] * shape[1] * (shape[2] if shape[2:] else 1)
    found = answer(tmp_path, ranks, in_mesh(*shape), clock=clock, **{cause: {(1, step): LATE}})
    assert named(found) == late(1, cause)


def test_a_host_that_is_late_in_several_groups_is_late_once_too(tmp_path: Path) -> None:
    alone = answer(tmp_path / "one", 2, [step for step in in_mesh(2, 1) if "dp" not in str(step)], host={(1, 2): LATE})
    assert {one.cause for one in alone.stragglers} == {"host"}
    felt = alone.stragglers[-1].late_ns
    assert named(answer(tmp_path / "two", 4, in_mesh(2, 2), host={(1, 2): LATE})) == late(1, "host", felt)


@pytest.mark.parametrize("without", [2, 3])
def test_of_a_mesh_with_a_missing_rank_the_late_one_is_named_by_those_that_are_there(
    tmp_path: Path, without: int
) -> None:
    found = answer(tmp_path, 4, in_mesh(2, 2), without=without, device={(1, 2): LATE})
    assert (found.missing, named(found)) == ([without], late(1, "device"))


def test_nobody_is_named_in_a_mesh_where_nothing_was_planted(tmp_path: Path) -> None:
    assert named(answer(tmp_path, 8, in_mesh(2, 2, 2), clock=FAR)) == []


@pytest.mark.parametrize(("cause", "step"), [("device", 4), ("device", 6), ("network", 5)])
def test_where_work_runs_beside_collectives_a_rank_is_late_by_what_it_has_more_to_do(
    tmp_path: Path, cause: str, step: int
) -> None:
    """The others do that work while they wait, the late rank behind the collective: it comes late to each later one."""
    everybody = (tuple(range(3)),)
    steps: list[Step] = [Work(), Meet("dp", everybody, waited_for=False), Work(), JOIN]
    assert named(answer(tmp_path, 3, steps * 6, **{cause: {(1, step): LATE}})) == late(1, cause)


def test_a_slow_transfer_of_one_group_is_not_counted_in_another_that_runs_beside_it(tmp_path: Path) -> None:
    tensors, _, _ = mesh(2, 2)
    steps: list[Step] = [
        Work(), Meet("all", ((0, 1, 2, 3),), waited_for=False),
        Meet("tp", tensors, "_reduce_scatter_base", waited_for=False), Work(), JOIN,
    ]  # fmt: skip
    assert named(answer(tmp_path, 4, steps * 6, network={(1, 7): LATE})) == late(1, "network")


@pytest.mark.parametrize("ranks", [2, 16])
def test_all_to_all_is_waited_in_by_everybody(tmp_path: Path, ranks: int) -> None:
    everybody = (tuple(range(ranks)),)
    steps: list[Step] = [Work(), Meet("ep", everybody, "all_to_allv"), Work(), Meet("tp", everybody)]
    assert named(answer(tmp_path, ranks, steps * 3, device={(ranks - 1, 4): LATE})) == late(ranks - 1, "device")


def test_ranks_whose_work_differs_by_turns_are_both_named(tmp_path: Path) -> None:
    """What one has more of in one layer another has in the next: in all they are even, and each waits for the other."""
    everybody = ((0, 1),)
    steps: list[Step] = [Work(), Meet("ep", everybody, "all_to_allv")] * 6
    found = answer(tmp_path, 2, steps, device={(0, 2): LATE, (1, 6): LATE})
    assert named(found) == sorted([*late(0, "device"), *late(1, "device")])
    assert "imbalance" not in {one.id for one in found.findings}


def _by_name(played: list[list[Event]]) -> list[list[Event]]:
    """Without what NCCL says of its kernels, as Nsight has them."""
    kept = ("device", "stream", "correlation")
    return [
        [{**event, "args": {key: event["args"][key] for key in kept if key in event["args"]}} for event in events]
        for events in played
    ]


def test_of_several_groups_whose_kernels_say_nothing_of_them_nobody_is_named_wrongly(tmp_path: Path) -> None:
    """They are taken for one group, in which some collectives end before they begin elsewhere."""
    played = play_steps(4, in_mesh(2, 2), PASSES, device={(1, 2): LATE})
    found = analyse(write(tmp_path, Plan(ranks=4), _by_name(played)), CHOICES)
    assert (found.stragglers, found.matched) == ([], 0)
    assert "collectives told by names alone" in {one.what for one in found.abstained}
    alone = play_steps(2, [Work(), Meet("tp", ((0, 1),))] * 6, PASSES, device={(1, 2): LATE})
    assert named(analyse(write(tmp_path, Plan(ranks=2), _by_name(alone))[:2], CHOICES)) == late(1, "device")


def test_a_collective_that_stands_twice_in_a_file_counts_once(tmp_path: Path) -> None:
    played = play_steps(2, [Work(), Meet("tp", ((0, 1),))] * 6, PASSES, device={(1, 2): LATE})
    played[0] += [event for event in played[0] if "Collective name" in event["args"]][7:9]
    found = analyse(write(tmp_path, Plan(ranks=2), played), CHOICES)
    assert (named(found), found.matched, found.abstained) == (late(1, "device"), 24, [])
    assert found.warnings == ["rank0.json: 2 collectives stand in it twice and count once"]


@pytest.mark.parametrize(("runs", "named_"), [(7, True), (4, False)])
def test_a_host_that_loses_little_at_one_place_is_named_where_it_does_so_in_enough_runs(
    tmp_path: Path, runs: int, *, named_: bool
) -> None:
    """A tenth of a millisecond of a step of 3.6: of what it loses its queue hides the rest."""
    steps: list[Step] = [Work(), Meet("tp", ((0, 1),))] * 8
    played = play_steps(2, steps, runs + 1, host={(1, 6): 1_300_000})
    found = analyse(write(tmp_path, Plan(ranks=2), played), CHOICES)
    (one,) = [one for one in found.stragglers if one.stage == "decode"] or [None]
    assert (one is not None) == named_
    if one is not None:
        assert (one.rank, one.cause, one.place) == (1, "host", 4)
        assert 0.02 < one.pass_ns / one.stage_pass_ns < 0.05

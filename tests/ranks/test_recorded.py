"""Two ranks recorded on two H100, and on two H200, cut to what is read of them: what the whole recordings gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracer.choices import Choices
from tracer.document.ranks import Ranks, StepRank
from tracer.ranks.analyse import analyse

if TYPE_CHECKING:
    from pathlib import Path

# Of each pass what rank 0 waited, and what both transferred; rank 1's host slept for 4 ms in each.
STEPS = [
    ("prefill", -1, 159_335_761, 2_644_917, 2_718_832),
    ("decode", 1, 85_803_854, 404_138, 410_051),
    ("decode", 2, 86_476_294, 404_163, 404_832),
    ("decode", 3, 83_380_646, 404_183, 403_681),
    ("decode", 4, 87_038_988, 407_075, 403_809),
    ("decode", 5, 87_849_546, 406_846, 402_784),
    ("decode", 6, 86_791_140, 411_175, 407_430),
]


@pytest.fixture(scope="module")
def late(data: Path) -> Ranks:
    return analyse(sorted((data / "ranks_h100").iterdir()), Choices(jobs=1))


def test_a_host_that_sleeps_for_4_ms_in_steps_of_90_is_named_with_the_place_where_it_does(late: Ranks) -> None:
    """Before the first all-reduce of layer 3, which is the fifth; before prefill that rank began 88 ms later."""
    prefill, decode = late.stragglers
    assert (prefill.rank, prefill.stage, prefill.cause, prefill.late_ns, prefill.passes, prefill.place) == (
        1, "prefill", "host", 87_589_767, 1, 1,
    )  # fmt: skip
    assert (decode.rank, decode.stage, decode.cause, decode.passes, decode.of_passes, decode.place) == (
        1, "decode", "host", 6, 6, 5,
    )  # fmt: skip
    assert 4_000_000 < decode.pass_ns < 4_600_000
    assert [finding.id for finding in late.findings] == [
        "rank-straggler", "rank-straggler", "imbalance", "collective-waits", "collective-waits",
    ]  # fmt: skip


def test_each_pass_of_two_h100_has_the_waiting_and_the_transfer_of_the_whole_recording(late: Ranks) -> None:
    assert (late.world_size, late.missing, late.clock, late.clock_residual_ns) == (2, [], "shared", 298)
    assert (late.collectives, late.matched) == (455, 455)
    steps = [(step.stage, step.index, step.critical_rank, step.late_ns, step.wait_ns) for step in late.steps]
    assert steps == [(stage, index, 1, wait, wait) for stage, index, wait, _, _ in STEPS]
    assert [step.ranks for step in late.steps] == [
        [StepRank(rank=0, wait_ns=wait, transfer_ns=own), StepRank(rank=1, wait_ns=0, transfer_ns=other)]
        for _, _, wait, own, other in STEPS
    ]
    (request,) = late.requests
    assert (request.time_ns, request.without_waiting_ns) == (836_734_146, 809_709_029)
    assert [(row.collective, row.bytes, row.count, row.transfer_ns) for row in late.bandwidth] == [
        ("_allgather_base", 64_000, 7, 6_496), ("allreduce", 8_192, 384, 6_301), ("allreduce", 5_292_032, 64, 39_745),
    ]  # fmt: skip
    assert (late.abstained, late.warnings) == ([], [])


def test_of_two_healthy_h200_nobody_is_named_in_decode_though_hosts_differ_in_every_step(data: Path) -> None:
    """Rank 0's host is 11 to 17 ms of 79 later in five steps of seven, rank 1's 1 to 5 ms in four."""
    healthy = analyse(sorted((data / "ranks_h200_healthy").iterdir()), Choices(jobs=1))
    assert [(one.rank, one.stage, one.cause, one.late_ns) for one in healthy.stragglers] == [
        (0, "prefill", "host", 19_637_337)
    ]
    assert (healthy.clock, healthy.clock_residual_ns) == ("shared", 314)
    assert (healthy.collectives, healthy.matched, healthy.abstained) == (520, 520, [])
    last = [step.critical_rank for step in healthy.steps if step.stage == "decode"]
    assert (last.count(0), last.count(1)) == (5, 2)

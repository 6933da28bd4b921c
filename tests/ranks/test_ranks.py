"""Whose traces are taken, what is matched, and what of communication is hidden."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from conftest import MORE_TRACES
from support.ranks import ELEMENTS, KERNEL_NS, TRANSFER_NS, Plan, play, write

from reports.parts.ranks.stages import part
from tracer.choices import Choices
from tracer.document.errors import InputError
from tracer.ranks.analyse import analyse
from tracer.ranks.bandwidth import factor, message_bytes
from tracer.ranks.files import of_paths
from tracer.trace.collectives import Collective

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHOICES = Choices(jobs=1)


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_the_numbers_come_from_the_files_whatever_their_names_and_order(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=3, device={2: 2_000_000}))
    moved = [path.rename(tmp_path / f"{name}.json") for path, name in zip(paths, "zax", strict=True)]
    found = analyse(moved[::-1], CHOICES)
    assert [rank.rank for rank in found.ranks] == [0, 1, 2]
    assert {one.rank for one in found.stragglers} == {2}


def test_reading_in_processes_changes_nothing(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=4, network={1: 2_000_000}))
    assert analyse(paths, Choices(jobs=1)) == analyse(paths, Choices(jobs=3))


def test_a_rank_twice_is_refused(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=2))
    rewritten(paths[1], lambda document: document["distributedInfo"].update(rank=0))
    with pytest.raises(InputError, match=r"rank1\.json: rank 0, as is .*rank0\.json"):
        analyse(paths, CHOICES)


def test_ranks_of_runs_of_other_sizes_are_refused(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=2))
    rewritten(paths[1], lambda document: document["distributedInfo"].update(world_size=4))
    with pytest.raises(InputError, match="of a run of 4 ranks"):
        analyse(paths, CHOICES)


def test_ranks_of_two_runs_alike_are_refused(tmp_path: Path) -> None:
    """Nothing in the metadata tells them apart, but their collectives cannot have met."""
    paths = write(tmp_path / "one", Plan(ranks=2, device={0: 2_000_000}))
    others = write(tmp_path / "other", Plan(ranks=2))
    with pytest.raises(InputError, match="not of one run"):
        analyse([paths[0], others[1]], CHOICES)


def test_a_clock_that_runs_away_a_little_is_a_residual(tmp_path: Path) -> None:
    """Twenty parts in a million, over 10 ms."""
    plan = Plan(ranks=2)
    played = play(plan)
    for event in played[1]:
        event["ts"] *= 1.00002
    found = analyse(write(tmp_path, plan, played), CHOICES)
    assert found.clock_residual_ns is not None
    assert 0 < found.clock_residual_ns < 1_000
    assert found.stragglers == []


def test_groups_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=2))
    for path, ranks in zip(paths, ([0, 1], [1, 2]), strict=True):
        groups = [{"pg_name": "0", "ranks": ranks}]
        rewritten(path, lambda document, groups=groups: document["distributedInfo"].update(pg_config=groups))  # type: ignore[misc]
    with pytest.raises(InputError, match="other ranks"):
        analyse(paths, CHOICES)


def test_a_trace_that_nobody_gave_a_rank_is_refused(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=2))
    rewritten(paths[1], lambda document: document.pop("distributedInfo"))
    with pytest.raises(InputError, match="does not say which rank"):
        analyse([paths[0], paths[1].rename(tmp_path / "other.json")], CHOICES)


def test_one_trace_alone_is_refused(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=2))
    with pytest.raises(InputError, match="alone"):
        analyse(of_paths(paths[:1]), CHOICES)
    (tmp_path / "summary.json").write_text("{}")
    assert of_paths([tmp_path, paths[0]]) == paths


def test_times_count_from_what_each_file_says(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=2, device={1: 2_000_000}, clock={1: -5_000_000_000}))
    rewritten(paths[1], lambda document: document.update(baseTimeNanoseconds=5_000_000_000))
    found = analyse(paths, CHOICES)
    assert (found.clock, found.ranks[1].clock_offset_ns) == ("shared", 0)
    assert {one.rank for one in found.stragglers} == {1}


def test_two_halves_with_a_group_of_their_own_are_matched_within(tmp_path: Path) -> None:
    """Both groups have one name, as groups of a mesh may, and nothing joins the clocks of one to the other's."""
    plan = Plan(ranks=4)
    far = {0: 7_000_000_000, 1: 7_000_000_000}
    played = [*play(Plan(ranks=2, device={1: 2_000_000})), *play(Plan(ranks=2, host={0: 4_000_000}, clock=far))]
    for rank, events in enumerate(played):
        for event in events:
            if "Collective name" in event["args"]:
                half = [0, 1] if rank < 2 else [2, 3]
                event["args"] |= {"Process Group Ranks": str(half), "Process Group Name": "tp", "Group size": 2}
    found = analyse(write(tmp_path, plan, played), CHOICES)
    assert {(one.rank, one.cause) for one in found.stragglers} == {(1, "device"), (2, "host")}
    assert {row.unmatched_ns for rank in found.ranks for row in rank.stages} == {0}
    assert [one.what for one in found.abstained] == ["how times of all ranks lie to each other"]
    assert [rank.clock_offset_ns for rank in found.ranks] == [0, 0, None, None]


def test_of_a_broadcast_nobody_is_late(tmp_path: Path) -> None:
    """Who sends does not wait for those who receive."""
    played = play(Plan(ranks=2, device={1: 2_000_000}))
    for events in played:
        for event in [event for event in events if "Collective name" in event["args"]][1:]:
            event["args"]["Collective name"] = "broadcast"
    found = analyse(write(tmp_path, Plan(ranks=2), played), CHOICES)
    assert (found.matched, found.stragglers) == (24, [])


def test_times_that_no_other_trace_can_be_near_are_refused(tmp_path: Path) -> None:
    paths = write(tmp_path, Plan(ranks=2))
    rewritten(paths[1], lambda document: document.update(baseTimeNanoseconds=1 << 61))
    with pytest.raises(InputError, match="too far"):
        analyse(paths, CHOICES)


def test_collectives_without_arguments_are_told_by_their_names(tmp_path: Path) -> None:
    played = play(Plan(ranks=2, device={1: 2_000_000}))
    for events in played:
        for event in events:
            kept = event["args"].keys() & {"device", "stream", "correlation"}
            event["args"] = {key: event["args"][key] for key in kept}
    found = analyse(write(tmp_path, Plan(ranks=2), played), CHOICES)
    assert (found.collectives, found.matched, found.bandwidth) == (24, 24, [])
    assert {(one.rank, one.cause) for one in found.stragglers} == {(1, "device")}


def test_point_to_point_kernels_are_said_not_to_be_matched(tmp_path: Path) -> None:
    played = play(Plan(ranks=2))
    for events in played:
        next(e for e in events if "Collective name" in e["args"])["args"]["Collective name"] = "send"
    found = analyse(write(tmp_path, Plan(ranks=2), played), CHOICES)
    assert [one.what for one in found.abstained] == ["waiting in point-to-point transfers"]
    assert found.ranks[0].stages[0].unmatched_ns == TRANSFER_NS


@pytest.mark.parametrize("every", [True, False])
def test_of_a_stage_without_a_matched_collective_nothing_is_known_of_waiting(tmp_path: Path, *, every: bool) -> None:
    plan = Plan(ranks=2, passes=1)
    played = play(plan)
    for events in played:
        collectives = [e for e in events if "Collective name" in e["args"]]
        for event in collectives if every else collectives[1:]:
            event["args"]["Collective name"] = "send"
    found = analyse(write(tmp_path, plan, played), CHOICES)
    (row,) = found.ranks[0].stages
    assert row.unmatched_ns
    assert row.device_time_ns
    assert [one is None for one in (row.wait_ns, row.transfer_ns, row.late_ns)] == [every] * 3
    assert ("of its collectives there none was matched" in repr(part(found))) is every


def test_what_runs_beside_a_collective_hides_it(tmp_path: Path) -> None:
    played = play(Plan(ranks=2, passes=1, layers=4))
    for events in played:
        one = next(e for e in events if "Collective name" in e["args"])
        beside = {**one, "name": "gemm", "dur": 15.0, "args": {"device": one["args"]["device"], "stream": 9}}
        events.append({**beside, "args": {**beside["args"], "correlation": one["args"]["correlation"]}})
    found = analyse(write(tmp_path, Plan(ranks=2), played), CHOICES)
    (row,) = found.ranks[0].stages
    assert (row.collective_ns, row.exposed_ns) == (4 * TRANSFER_NS, 4 * TRANSFER_NS - 15_000)


def test_bus_bandwidth_is_that_of_nccl_tests(tmp_path: Path) -> None:
    """An all-reduce of S bytes over n ranks in t: S/t times 2(n-1)/n (its doc/PERFORMANCE.md)."""
    (row,) = analyse(write(tmp_path, Plan(ranks=4)), CHOICES).bandwidth
    assert (row.bytes, row.count, row.transfer_ns) == (2 * ELEMENTS, 24, TRANSFER_NS)
    assert row.bus_gbs == pytest.approx(2 * ELEMENTS / TRANSFER_NS * 1.5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("_allgather_base", 0.75), ("reduce_scatter_tensor_coalesced", 0.75), ("all_to_allv", 0.75), ("broadcast", 1),
     ("reduce", 1), ("allreduce", 1.5), ("barrier", None)],
)  # fmt: skip
def test_each_collective_has_its_factor(name: str, expected: float | None) -> None:
    assert factor(name, 4) == expected


def test_a_message_is_the_larger_end_and_unknown_without_its_type() -> None:
    assert message_bytes(Collective(name="_allgather_base", sent=8, received=32, dtype="Float")) == 128
    assert message_bytes(Collective(name="_reduce_scatter_base", sent=32, received=8, dtype="BFloat16")) == 64
    assert message_bytes(Collective(name="allreduce", sent=32, received=32, dtype="Odd")) == 0


def test_a_rank_with_more_of_its_own_work_is_uneven(tmp_path: Path) -> None:
    found = analyse(write(tmp_path, Plan(ranks=3, device={0: KERNEL_NS}, at=None)), CHOICES)
    uneven = [finding for finding in found.findings if finding.id == "imbalance"]
    assert {finding.evidence["rank"] for finding in uneven} == {0}
    assert "2.00 times" in uneven[0].message


def test_of_ranks_that_differ_in_runs_nothing_is_called_uneven(tmp_path: Path) -> None:
    played = play(Plan(ranks=2, passes=5))
    last = max(event["ts"] for event in played[0] if event["name"].startswith("tracer/decode#1"))
    played[1] = [event for event in played[1] if event["ts"] < last]
    found = analyse(write(tmp_path, Plan(ranks=2), played), CHOICES)
    assert "imbalance" not in {finding.id for finding in found.findings}
    assert [one.what for one in found.abstained][-1] == "collectives of group '0' in 2 more runs of stages"


def test_a_run_that_is_mostly_transfer_is_bound_by_communication(tmp_path: Path) -> None:
    slow = dict.fromkeys(range(3), 2_000_000)
    found = analyse(write(tmp_path, Plan(ranks=3, network=slow, at=None)), CHOICES)
    assert "communication-bound" in {finding.id for finding in found.findings}
    assert found.stragglers == []


def _pair(name: str) -> Path:
    from pathlib import Path as Folder

    folders = [Folder(folder) / name for folder in MORE_TRACES.split(":") if folder]
    found = [folder for folder in folders if folder.is_dir()]
    if not found:
        pytest.skip(f"no {name} among TRACER_MORE_TRACES")
    return found[0]


def test_on_two_gpus_the_rank_whose_host_sleeps_is_named() -> None:
    """Rank 1 sleeps 4 ms before layer 3, the seventh all-reduce of sixteen, in each of eight passes."""
    found = analyse(of_paths([_pair("tp2_host_straggler")]), CHOICES)
    assert {(one.rank, one.cause, one.place) for one in found.stragglers} == {(1, "host", 7)}
    for one in found.stragglers:
        assert 3_900_000 < one.pass_ns < 4_900_000
        assert one.passes == one.of_passes == (7 if one.stage == "decode" else 1)
    assert (found.clock, found.matched) == ("shared", 128)


def test_on_two_healthy_gpus_nobody_is_named() -> None:
    found = analyse(of_paths([_pair("tp2_healthy")]), CHOICES)
    assert found.stragglers == []
    assert "rank-straggler" not in {finding.id for finding in found.findings}

"""Ranks of which one lacks device ops: nothing is said of its stage, and nobody is held against it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.ranks import COMPUTE, Event, Plan, play, write

from reports.document import RANKS
from reports.page.ranks import render as page
from reports.render.markdown import render as markdown
from tracer.choices import Choices
from tracer.document.errors import InputError
from tracer.document.ranks import Ranks, decode, encode
from tracer.ranks.analyse import analyse

if TYPE_CHECKING:
    from pathlib import Path

LATE = 2_000_000
PLAN = Plan(ranks=3, device={1: LATE})


def _answer(folder: Path, plan: Plan, played: list[list[Event]]) -> Ranks:
    found = analyse(write(folder, plan, played), Choices(jobs=1))
    assert decode(encode(found)) == found
    return found


def _without_kernels_of_decode(events: list[Event]) -> list[Event]:
    """The kernels of its own of a rank's decode steps are gone, its collectives are there."""
    begin = next(event["ts"] for event in events if event["name"] == "tracer/decode#1")
    return [event for event in events if event["name"] != COMPUTE or event["ts"] < begin]


def _times(found: Ranks, stage: str, rank: int) -> list[int | None]:
    (row,) = [row for row in found.ranks[rank].stages if row.stage == stage]
    return [row.device_time_ns, row.own_ns, row.collective_ns, row.wait_ns, row.transfer_ns, row.exposed_ns]


def test_of_a_rank_that_lacks_kernels_the_stage_is_unknown_and_it_is_not_late_there(tmp_path: Path) -> None:
    played = play(PLAN)
    whole = _answer(tmp_path / "whole", PLAN, played)
    played[1] = _without_kernels_of_decode(played[1])
    found = _answer(tmp_path / "lost", PLAN, played)
    assert {(one.rank, one.stage, one.cause) for one in whole.stragglers} == {
        (1, "prefill", "device"), (1, "decode", "device")
    }  # fmt: skip
    assert {(one.rank, one.stage, one.cause) for one in found.stragglers} == {(1, "prefill", "device")}
    assert _times(found, "decode", 1) == [None] * 6
    assert _times(found, "decode", 0)[:3] == _times(whole, "decode", 0)[:3]
    assert _times(found, "prefill", 1) == _times(whole, "prefill", 1)
    assert found.ranks[1].stages[1].lost
    assert {step.stage for step in found.steps} == {"prefill"}
    assert "decode" not in {finding.evidence["stage"] for finding in found.findings}
    (said,) = found.abstained
    assert said.what.startswith("device time of decode on rank 1, and who waits")
    assert "18 of 48 cudaLaunchKernel have no device op" in said.reason
    assert said.next_step
    assert whole.abstained == []
    assert (found.requests, len(whole.requests)) == ([], 1)


def test_the_report_and_the_page_call_it_unknown(tmp_path: Path) -> None:
    played = play(PLAN)
    whole = _answer(tmp_path / "whole", PLAN, played)
    played[1] = _without_kernels_of_decode(played[1])
    found = _answer(tmp_path / "lost", PLAN, played)
    for text in (markdown(list(filter(None, [part(found) for part in RANKS])), heading="ranks"), page(found)):
        assert "unknown" in text
        assert "have no device op" in text
    assert page(whole).count("unknown") < page(found).count("unknown")


def test_of_ranks_in_one_file_the_one_that_lacks_kernels_is_unknown_alone(tmp_path: Path) -> None:
    played = play(PLAN)
    played[1] = _without_kernels_of_decode(played[1])
    joined = [
        {**event, "pid": f"[rank{rank}] {event['pid']}"} for rank, events in enumerate(played) for event in events
    ]
    (path,) = write(tmp_path / "joined", Plan(ranks=1), [joined])
    path.write_text(path.read_text().replace('"world_size": 1', '"world_size": 3'))
    found = analyse([path], Choices(jobs=1))
    assert [_times(found, "decode", rank)[0] is None for rank in range(3)] == [False, True, False]


def test_a_rank_whose_device_was_not_recorded_at_all_is_refused_with_what_to_record(tmp_path: Path) -> None:
    played = play(PLAN)
    played[1] = [event for event in played[1] if event["cat"] != "kernel"]
    with pytest.raises(InputError, match=r"rank1.json: 48 launches .* but no device ops: .*ProfilerActivity.CUDA"):
        analyse(write(tmp_path, PLAN, played), Choices(jobs=1))

"""Ranks in Nsight's exports, in one file of each, and in one file of all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support.nsight import Export
from support.ranks import Event, Plan, play, write

from reports.document import of_ranks
from reports.render.text import render
from tracer.choices import Choices
from tracer.document.errors import InputError
from tracer.perfetto.merge import merge
from tracer.ranks.analyse import analyse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracer.document.ranks import Ranks

CHOICES = Choices(jobs=1)
LATE = 2_000_000
PLAN = Plan(ranks=3, device={1: LATE})
PLANTED = [(1, "decode", "device", 3 * LATE, 3), (1, "prefill", "device", LATE, 1)]


def rows_of(events: Sequence[Event], export: Export, *, device: int, pid: int) -> Export:
    """A rank's events as rows of an export, whose collectives are told by names alone."""
    for event in events:
        start = round(event["ts"] * 1000)
        end, correlation = start + round(event["dur"] * 1000), event["args"].get("correlation", 0)
        if event["cat"] == "kernel":
            export.kernel(event["name"], start, end, correlation, deviceId=device, pid=pid)
        elif event["cat"] == "cuda_runtime":
            export.call(start, end, correlation, event["name"] + "_v7000", pid=pid)
        else:
            export.span(event["name"], start, end, pid=pid)
    return export


def named(found: Ranks) -> list[tuple[int, str, str, int, int]]:
    return sorted((one.rank, one.stage, one.cause, one.late_ns, one.passes) for one in found.stragglers)


@pytest.mark.parametrize("clock", [{}, {1: 5_000_000_000, 2: -70_000_000}])
def test_exports_of_nsight_name_the_planted_rank(tmp_path: Path, clock: dict[int, int]) -> None:
    """Each of a session of its own, whose times begin anywhere."""
    paths = [
        rows_of(events, Export(), device=0, pid=100).write(tmp_path / f"rank{rank}.sqlite")
        for rank, events in enumerate(play(replace(PLAN, clock=clock)))
    ]
    found = analyse(paths, CHOICES)
    assert named(found) == PLANTED
    assert (found.clock, found.clock_residual_ns) == ("estimated" if clock else "shared", 0)


def test_one_export_of_all_processes_says_the_same(tmp_path: Path) -> None:
    export = Export()
    for rank, events in enumerate(play(PLAN)):
        rows_of(events, export, device=rank, pid=100 + rank)
    found = analyse([export.write(tmp_path / "all.sqlite")], CHOICES)
    assert named(found) == PLANTED
    assert ([one.rank for one in found.ranks], found.matched, found.collectives) == ([0, 1, 2], 24, 24)


def test_one_process_on_several_devices_is_no_several_ranks(tmp_path: Path) -> None:
    export = Export()
    for rank, events in enumerate(play(PLAN)):
        rows_of(events, export, device=rank, pid=100)
    with pytest.raises(InputError, match="it has work on 3 devices; give a trace for each rank"):
        analyse([export.write(tmp_path / "all.sqlite")], CHOICES)


@pytest.mark.parametrize("devices", [{}, {0: 0, 1: 0, 2: 0}])
def test_of_merged_ranks_all_is_said_that_is_said_of_them_apart(tmp_path: Path, devices: dict[int, int]) -> None:
    """But for what each file is called, and the clocks, which are one there; without rank 0, so that numbers count."""
    plan = Plan(ranks=4, device={2: LATE}, clock={3: 40_000_000}, devices=devices)
    paths = write(tmp_path / "run", plan)[1:]
    merge(paths, tmp_path / "merged.json", CHOICES)
    apart, found = analyse(paths, CHOICES), analyse([tmp_path / "merged.json"], CHOICES)
    assert [one.rank for one in found.ranks] == [1, 2, 3]
    assert [one.stages for one in found.ranks] == [one.stages for one in apart.ranks]
    for name in ("stragglers", "steps", "requests", "matched", "collectives", "missing"):
        assert getattr(found, name) == getattr(apart, name), name


def test_what_was_read_around_in_a_file_of_several_ranks_is_said_once(tmp_path: Path) -> None:
    """Also where rank 0 is not in it."""
    merge(write(tmp_path / "run", Plan(ranks=3))[1:], tmp_path / "merged.json", CHOICES)
    text = (tmp_path / "merged.json").read_text()
    (tmp_path / "torn.json").write_text(text[: text.rindex("\n]")])
    found = analyse([tmp_path / "torn.json"], CHOICES)
    assert [one.rank for one in found.ranks] == [1, 2]
    assert sum(warning.startswith("torn.json: the file is cut off") for warning in found.warnings) == 1


def test_of_many_ranks_the_report_has_those_that_tell(tmp_path: Path) -> None:
    found = analyse(write(tmp_path, Plan(ranks=20, passes=2, layers=3, device={13: LATE})), CHOICES)
    lines = [line.split() for line in render(of_ranks(found), width=100).splitlines()]
    begin = next(place for place, words in enumerate(lines) if words[:4] == ["stage", "rank", "device", "own"])
    of_decode = [words[1:3] for words in lines[begin:] if words[:1] == ["decode"]][:4]
    assert [rank for rank, _ in of_decode] == ["0", "1", "13", "17"]
    assert of_decode[-1] == ["17", "more"]

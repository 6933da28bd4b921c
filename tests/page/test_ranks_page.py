"""The page on the ranks of one run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.hostile import TEXTS
from support.ranks import Plan, write
from support.typed import typed

from reports.document import RANKS
from reports.page import ranks as page
from reports.page.ranks_drawn import MOST_STEPS, bandwidth_bars, exposed_bars, step_bars, waiting_bars
from reports.render.html import escape
from tracer.choices import Choices
from tracer.document.ranks import Bandwidth, Ranks, RankStage, Step
from tracer.ranks.analyse import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    write(folder, Plan(ranks=3, device={1: 2_000_000}))
    return folder


@pytest.fixture(scope="module")
def ranks(folder: Path) -> Ranks:
    return analyse(sorted(folder.iterdir()), Choices(jobs=1))


def _stage(**times: int) -> RankStage:
    nothing = dict.fromkeys(("transfer_ns", "unmatched_ns", "exposed_ns", "late_ns", "wait_ns", "collective_ns"), 0)
    return RankStage(stage="decode", runs=1, **{**nothing, **times})


def _of(ranks: Ranks, *stages: RankStage) -> Ranks:
    rows = [msgspec.structs.replace(rank, stages=[stage]) for rank, stage in zip(ranks.ranks, stages, strict=False)]
    return msgspec.structs.replace(ranks, ranks=rows)


def test_every_part_of_the_report_is_on_the_page(ranks: Ranks) -> None:
    named = [*page.HEAD, *page.ELSEWHERE, *(part for section in page.SECTIONS for part in section.parts)]
    assert set(named) == set(RANKS)
    said = page.render(ranks)
    for finding in ranks.findings:
        assert escape(finding.message) in said
    for part in ("late ranks", "the last to arrive", "bus bandwidth", "gemm_of_a_layer"):
        assert part in said


def test_waiting_and_transfer_are_as_long_as_they_took(ranks: Ranks) -> None:
    own = _stage(device_time_ns=100, collective_ns=75, wait_ns=50, transfer_ns=25)
    drawn = waiting_bars(_of(ranks, own, _stage(device_time_ns=50)))
    assert '<rect class="part-own" x="0.000%" width="25.000%"' in drawn
    assert '<rect class="part-wait" x="25.000%" width="50.000%"' in drawn
    assert '<rect class="part-transfer" x="75.000%" width="25.000%"' in drawn
    assert '<rect class="part-own" x="0.000%" width="50.000%"' in drawn
    assert "unmatched" not in drawn


def test_what_was_not_matched_is_neither_waiting_nor_transfer(ranks: Ranks) -> None:
    drawn = waiting_bars(_of(ranks, _stage(device_time_ns=100, collective_ns=80, unmatched_ns=80)))
    assert '<rect class="part-unmatched" x="20.000%" width="80.000%"' in drawn
    assert 'class="part-wait"' not in drawn


def test_exposed_and_hidden_are_parts_of_the_collectives(ranks: Ranks) -> None:
    drawn = exposed_bars(_of(ranks, _stage(device_time_ns=200, collective_ns=100, exposed_ns=60)))
    assert '<rect class="part-exposed" x="0.000%" width="60.000%"' in drawn
    assert '<rect class="part-hidden" x="60.000%" width="40.000%"' in drawn
    assert "60.0% exposed" in drawn


def _step(index: int, rank: int | None, late_ns: int) -> Step:
    return Step(stage="decode", index=index, request=0, critical_rank=rank, late_ns=late_ns, wait_ns=late_ns)


def test_the_last_rank_of_each_run_stands_in_its_column(ranks: Ranks) -> None:
    steps = [_step(1, 0, 50), _step(2, None, 0), _step(3, 2, 100)]
    drawn = step_bars(msgspec.structs.replace(ranks, steps=steps))
    assert re.findall(r'<rect class="part-late" x="([0-9.]+)%"', drawn) == ["0.000", "66.667"]
    assert "decode #3 of request 0: late by 100 ns" in drawn
    assert "#2 of request" not in drawn
    assert step_bars(msgspec.structs.replace(ranks, steps=[_step(1, None, 0)])) == ""


def test_of_more_runs_than_columns_the_latest_of_each_column_is_kept(ranks: Ranks) -> None:
    steps = [_step(index, 1, 900 if index == 701 else 10) for index in range(1_000)]
    drawn = step_bars(msgspec.structs.replace(ranks, steps=steps))
    assert drawn.count('<rect class="part-late"') == MOST_STEPS
    assert "#701 of request 0: late by 900 ns" in drawn
    assert "several of 1,000 runs" in drawn


def test_a_bandwidth_is_as_long_as_its_share_of_the_link(ranks: Ranks) -> None:
    def one(peak_gbs: float | None) -> Ranks:
        row = Bandwidth(
            collective="allreduce", bytes=8192, group_size=2, count=3, transfer_ns=9, bus_gbs=90.0, peak_gbs=peak_gbs
        )
        return msgspec.structs.replace(ranks, bandwidth=[row])

    assert 'width="20.000%"' in bandwidth_bars(one(450.0))
    unknown = bandwidth_bars(one(None))
    assert 'width="100.000%"' in unknown
    assert "of the link" not in unknown


def test_names_from_files_are_no_markup(ranks: Ranks) -> None:
    hostile = [msgspec.structs.replace(rank, device=text) for rank, text in zip(ranks.ranks, TEXTS, strict=False)]
    rows = [msgspec.structs.replace(row, collective=TEXTS[0]) for row in ranks.bandwidth]
    said = page.render(msgspec.structs.replace(ranks, ranks=hostile, bandwidth=rows, warnings=[TEXTS[0]]))
    outside = re.sub(r"<script>\(\(\) => .*?</script>", "", said, flags=re.DOTALL)
    assert TEXTS[0] not in outside
    assert escape(TEXTS[0]) in said


def test_report_of_a_folder_of_ranks_is_this_page(folder: Path, tmp_path: Path, visit: Callable[..., Any]) -> None:
    path = tmp_path / "ranks.html"
    done = typed("report", folder, "-o", path)
    assert (done.returncode, done.stderr) == (0, "")
    for width, scheme in ((1400, "light"), (390, "dark")):
        shown = visit(path, width=width, color_scheme=scheme)
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert shown.locator("#waiting .barrow").count() >= 6
        assert "the others wait for rank 1" in shown.locator(".finding").first.inner_text()

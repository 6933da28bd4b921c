"""A kernel that takes another time: how it was launched may be why."""

from __future__ import annotations

from typing import Any

import pytest
from support.chrome import EVERYTHING, document, kernel, launch, read_bytes, span

from reports.document import of_comparison
from reports.render.text import render
from tracer.compare.pairs import compare
from tracer.document.summary import Summary
from tracer.summarize import Choices, summarize
from tracer.trace.columns import Want

BEFORE = {"grid": [16, 4, 1], "block": [128, 1, 1], "registers per thread": 128, "shared memory": 0}


def _run(*ways: tuple[float, dict[str, Any]], by: str = "kernel", stage: str = "tracer/prefill") -> Summary:
    events = [span(stage, 0, 1000)]
    for number, (length, args) in enumerate(ways, 1):
        events += [launch(number, 0.5, number), kernel("gemm", 10 + 200 * number, length, number, args=args)]
    return summarize(read_bytes(document(*events), EVERYTHING | Want.LAUNCHED), Choices(by=by))


def _relaunched(before: Summary, after: Summary) -> list[list[str]]:
    return [one.relaunched for one in compare([before, after], tolerance=0.05).pairs[0].kernels]


@pytest.mark.parametrize("stage", ["tracer/prefill", "no stage"])
def test_another_grid_or_other_registers_are_said(stage: str) -> None:
    before = _run((50, BEFORE), stage=stage)
    after = _run((80, BEFORE | {"grid": [32, 4, 1], "registers per thread": 96}), stage=stage)
    assert _relaunched(before, after) == [["grid 16x4x1 -> 32x4x1", "registers 128 -> 96"]]
    text = " ".join(render(of_comparison(compare([before, after], tolerance=0.05)), width=200).split())
    assert "was launched otherwise: grid 16x4x1 -> 32x4x1, registers 128 -> 96" in text


def test_the_same_launch_is_no_reason_nor_is_one_that_a_file_does_not_say() -> None:
    before = _run((50, BEFORE))
    assert _relaunched(before, _run((80, BEFORE))) == [[]]
    assert _relaunched(before, _run((80, {}))) == [[]]
    assert _relaunched(before, _run((80, {"grid": [16, 4, 1]}))) == [[]]
    assert _relaunched(before, _run((80, BEFORE | {"grid": [1, 1, 1]}), by="stream")) == [[]]


def test_of_several_ways_the_one_that_took_the_most_time_counts() -> None:
    other = BEFORE | {"grid": [1, 1, 1]}
    assert _relaunched(_run((50, BEFORE), (10, other)), _run((10, other), (90, BEFORE))) == [[]]
    assert _relaunched(_run((50, BEFORE), (10, other)), _run((90, other), (10, BEFORE))) == [["grid 16x4x1 -> 1x1x1"]]

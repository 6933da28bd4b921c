"""A kernel that takes another time: how it was launched may be why."""

from __future__ import annotations

from typing import Any

import pytest
from support.chrome import EVERYTHING, document, kernel, launch, operator, read_bytes, span, trace_of

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


@pytest.mark.parametrize(("tolerance", "said", "parts"), [(None, "not tested", None), (0.05, "slower", 1)])
def test_what_a_cpu_took_longer_for_is_the_hosts_time_and_claimed_only_beyond_a_tolerance(
    tolerance: float | None, said: str, parts: int | None
) -> None:
    def of_a_cpu(length_us: float) -> Summary:
        steps = [span(f"tracer/decode#{k}", 100 * k, 100) for k in (1, 2, 3)]
        return summarize(trace_of(*steps, *[operator("aten::mm", 100 * k + 10, length_us) for k in (1, 2, 3)]))

    found = compare([of_a_cpu(20), of_a_cpu(30)], tolerance=tolerance)
    (pair,) = found.pairs
    assert ([one.change for one in pair.kernels], [one.parts_at for one in pair.steps]) == ([said], [parts])
    text = " ".join(render(of_comparison(found), width=200).split())
    assert ("1 not tested" in text, "1 slower" in text, "untested: the host" in text.lower()) == (
        tolerance is None, tolerance is not None, tolerance is None,
    )  # fmt: skip


def test_what_is_not_alike_is_not_compared_kernel_by_kernel_and_says_so() -> None:
    cpu = summarize(trace_of(span("tracer/prefill", 0, 100), operator("aten::mm", 1, 50)))
    (pair,) = compare([_run((50, BEFORE)), cpu]).pairs
    assert (pair.kernels, pair.same_kernels, next(one.what for one in pair.abstained)) == ([], 0, "kernels")
    assert any(note.startswith("kernels: one trace has device work, the other none") for note in pair.notes)
    (pair,) = compare([cpu, summarize(trace_of(kernel("gemm", 5, 9, 1), launch(1, 1, 1)))]).pairs
    assert {one.of: one.ratio for one in pair.totals}.keys() >= {"operators", "ops"}
    assert not any(one.ratio for one in pair.totals)


def test_traces_that_share_no_stage_are_compared_as_wholes() -> None:
    prefill, decode = _run((50, BEFORE)), _run((80, BEFORE), stage="tracer/decode#1")
    (pair,) = compare([prefill, decode]).pairs
    assert [(one.stage, one.change) for one in pair.kernels] == [("", "slower")]
    assert ("stages", "no stage is in both traces") in [(one.what, one.reason) for one in pair.abstained]
    assert pair.notes[-1].startswith("no stage is in both traces: their totals and kernels are compared")
    plain = _run((80, BEFORE), by="stream", stage="tracer/decode#1")
    assert "kernels" in [one.what for one in compare([prefill, plain]).pairs[0].abstained]
    assert compare([prefill, _run((80, BEFORE))]).pairs[0].totals == []


def test_of_several_ways_the_one_that_took_the_most_time_counts() -> None:
    other = BEFORE | {"grid": [1, 1, 1]}
    assert _relaunched(_run((50, BEFORE), (10, other)), _run((10, other), (90, BEFORE))) == [[]]
    assert _relaunched(_run((50, BEFORE), (10, other)), _run((90, other), (10, BEFORE))) == [["grid 16x4x1 -> 1x1x1"]]

"""Shares of the stages where work was lost in none of them."""

from __future__ import annotations

from support.chrome import kernel, launch, span, trace_of

from reports.document import of_summary
from reports.render import text
from tracer.summarize import summarize


def test_where_work_was_lost_outside_all_stages_no_stage_has_a_share_of_the_whole() -> None:
    stages = [span("tracer/prefill", 0, 100), launch(1, 5, 1), kernel("gemm", 10, 80, 1)]
    stages += [launch(200, 5, 2), kernel("gemm", 210, 80, 2), launch(300, 5, 3)]
    whole, lost = (
        text.render(of_summary(summarize(trace_of(*stages, *more))), width=200)
        for more in ([kernel("k", 310, 5, 3)], [])
    )
    rows = [one for report in (whole, lost) for one in report.splitlines() if one.startswith("prefill ")]
    assert ["%" in row for row in rows] == [True, True, False, True]  # of the table, and of its kinds of work
    assert "In no stage: 51.5%" in whole
    assert "In no stage: of what was recorded: outside ranges 80.0 µs (1 op)" in lost

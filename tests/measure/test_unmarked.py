"""Where stages are inferred from what repeats, it is said that nothing marks them, and what would."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.chrome import kernel, launch, span, trace_of

from reports.text import render
from tracer.document.summary import MARKS
from tracer.summarize import summarize, summarize_file

BARE = sorted((Path(__file__).parents[1] / "data" / "bare").glob("*.json.gz"))


@pytest.mark.parametrize("path", BARE, ids=lambda path: path.name.partition(".")[0])
def test_inferred_stages_have_no_marks_and_the_threads_are_shown(path: Path) -> None:
    summary = summarize_file(path)
    assert summary.trace.markers == "inferred"
    (told,) = [one for one in summary.abstained if one.what == MARKS]
    assert told.next_step
    text = render(summary, width=100)
    assert "\n\nno marks\n" in text
    assert text.count(told.reason[:40]) == 1


def test_marked_stages_have_marks() -> None:
    summary = summarize(trace_of(span("tracer/prefill", 0, 9), launch(1, 1, 1), kernel("gemm", 3, 5, 1)))
    assert MARKS not in [one.what for one in summary.abstained]
    assert "no marks" not in render(summary, width=100)

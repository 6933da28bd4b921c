"""Several models in both runs, and their rounds."""

from __future__ import annotations

import msgspec
from support.chrome import kernel, launch, span, trace_of
from support.rounds import rounds

from reports.document import of_comparison
from reports.render.text import render
from tracer.compare.pairs import compare
from tracer.document.comparison import Pair
from tracer.document.summary import Summary
from tracer.summarize import summarize


def _summary(*results: tuple[int, int], **costs: float) -> Summary:
    return summarize(trace_of(*rounds(results, **costs)))  # type: ignore[arg-type]


def _pair(before: Summary, after: Summary) -> Pair:
    return compare([before, after]).pairs[0]


def test_each_stage_of_each_model_has_a_row_and_so_has_each_part_of_a_round() -> None:
    pair = _pair(_summary((2, 1), (2, 2), verify=40), _summary((2, 2), (2, 2), verify=60))
    taken = {(row.role, row.stage): (row.before_ns, row.after_ns, row.ratio) for row in pair.roles}
    assert taken["target", "verify"] == (40_000, 60_000, 1.5)
    assert taken["draft", "draft"] == (20_000, 20_000, 1.0)
    told = {total.of: (total.before, total.after) for total in pair.speculation}
    assert told == {
        "rounds": (2, 2), "drafted tokens": (4, 4), "accepted tokens": (3, 4), "tokens": (5, 6),
        "drafting": (20_000, 20_000), "verifying": (40_000, 60_000), "waiting": (0, 0), "a token": (24_000, 26_667),
    }  # fmt: skip


def test_where_one_run_has_no_draft_its_side_is_empty() -> None:
    pair = _pair(_summary((2, 1), mapping=4), _plain())
    assert {row.after_ns for row in pair.roles} == {None}
    assert {total.after for total in pair.speculation} == {None}
    assert "mapping" in {total.of for total in pair.speculation}


def _plain() -> Summary:
    return summarize(trace_of(span("tracer/prefill", 0, 10), launch(1, 1, 1), kernel("k", 3, 5, 1)))


def test_runs_of_one_model_have_no_such_rows_and_are_shown_as_before() -> None:
    pair = _pair(_plain(), _plain())
    assert (pair.roles, pair.speculation) == ([], [])
    assert "models," not in render(of_comparison(compare([_plain(), _plain()])))


def test_the_report_shows_models_and_rounds() -> None:
    found = compare([_summary((2, 1), (2, 2), verify=40), _summary((2, 2), (2, 2), verify=60)])
    said = " ".join(render(of_comparison(found), width=110).split())
    assert "models, B against A model stage A B ratio target prefill 100 µs 100 µs × 1.000" in said
    assert "a round A B ratio rounds 2 2 × 1.000 drafted tokens 4 4" in said
    assert msgspec.json.decode(msgspec.json.encode(found))["pairs"][0]["roles"]

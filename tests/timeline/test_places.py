"""A finding leads to the place of the timeline that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.chrome import Event, document, kernel, launch, span, trace_of
from support.staged import staged_trace

from tracer.charge.lost import find_lost
from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of
from tracer.choices import Choices
from tracer.document.summary import Finding
from tracer.document.timeline import Place
from tracer.findings.registry import findings
from tracer.measure.runs import runs_of
from tracer.summarize import charge, read, summarize_charged
from tracer.timeline.draw import NEEDS, Most, timeline_of
from tracer.timeline.places import ABOUT, place_of
from tracer.trace.source import Source

STEPS = [(f"decode#{index}", 200 + 100 * index, 90 if index == 3 else 50) for index in range(1, 5)]


def _events() -> list[Event]:
    """Vision, prefill and four steps of one kernel each, the third the longest."""
    stages = [("vision", 0, 50), ("prefill", 100, 80), *STEPS]
    events = [span("tracer/request#0", 0, 700)]
    for number, (name, at, length) in enumerate(stages, 1):
        events += [
            span(f"tracer/{name}", at, length),
            launch(at + 1, 1, number),
            kernel(name, at + 5, length - 9, number),
        ]
    return events


def _place(id: str, evidence: dict[str, Any], *more: Event) -> Place | None:
    trace = trace_of(*_events(), *more)
    ranges = find_stages(trace)
    work = work_of(trace, ranges)
    finding = Finding(id=id, severity="info", message="", evidence=evidence)
    return place_of(finding, runs_of(ranges, work, None), work, int(np.min(work.start_ns)))


@pytest.mark.parametrize(
    ("id", "evidence", "what"),
    [
        ("token-outliers", {"steps": [[0, 2], [0, 3]]}, "decode step 2"),
        ("bottleneck-stage", {"stage": "prefill"}, "prefill"),
        ("launch-bound", {"stages": {"vision": {}, "decode": {}}}, "vision"),
        ("profiler-distorts", {"ratios": {"prefill": 1.5}}, "prefill"),
        ("sync-per-token", {"steps": 4}, "decode step 3"),
        ("slow-first-token", {"first_ns": 5}, "decode step 1"),
        ("frames-encoded-one-by-one", {}, "vision"),
    ],
)
def test_by_its_evidence_or_by_what_its_rule_is_about(id: str, evidence: dict[str, Any], what: str) -> None:
    place = _place(id, evidence)
    assert place is not None
    assert place.what == what
    assert place.start_ns < place.end_ns


def test_a_step_is_where_its_work_on_the_device_is() -> None:
    place = _place("token-outliers", {"steps": [[0, 2]]})
    assert place == Place(start_ns=400_000, end_ns=441_000, what="decode step 2")  # behind vision's first op, at 5 us


def test_a_step_that_lacks_an_op_shows_nothing_where_another_lacks_none() -> None:
    trace = trace_of(*_events(), launch(402, 1, 99))  # in the third, the longest
    ranges = find_stages(trace)
    work = work_of(trace, ranges)
    runs = runs_of(ranges, work, None, find_lost(trace, ranges, work))
    finding = Finding(id="kv-growth", severity="info", message="", evidence={})
    place = place_of(finding, runs, work, int(np.min(work.start_ns)))
    assert place is not None
    assert place.what in ("decode step 1", "decode step 2")


def test_what_lies_outside_all_stages_is_shown_by_its_longest_op() -> None:
    place = _place("low-coverage", {"share": 0.5}, kernel("lost", 800, 5), kernel("more lost", 900, 30))
    assert place is not None
    assert (place.start_ns, place.end_ns) == (895_000, 925_000)


def test_what_overlaps_is_shown_by_the_longest_that_does() -> None:
    place = _place("same-stream-overlap", {}, kernel("a", 800, 20), kernel("b", 810, 30), kernel("c", 900, 50))
    assert place is not None
    assert (place.start_ns, place.end_ns) == (805_000, 835_000)


@pytest.mark.parametrize("id", ["low-coverage", "same-stream-overlap", "no-such-rule"])
def test_what_no_place_shows_leads_nowhere(id: str) -> None:
    assert _place(id, {}) is None


def test_a_stage_that_is_not_in_the_trace_is_no_place() -> None:
    assert _place("bottleneck-stage", {"stage": "load"}) is None
    assert _place("token-outliers", {"steps": [[0, 99]]}) is None


def test_the_rules_that_are_told_by_name_exist() -> None:
    assert set(ABOUT) <= {file.FINDING.id for file in findings().values()}


def test_a_finding_on_several_stages_leads_to_the_one_that_it_names_first(tmp_path: Path) -> None:
    events = []
    for number, (name, at, length) in enumerate([("prefill", 0, 100), ("decode#1", 200, 500), ("decode#2", 800, 500)]):
        first, last = 2 * number + 1, 2 * number + 2
        events += [span(f"tracer/{name}", at, length), launch(at + 1, 1, first), kernel("gemm", at + 3, 5, first)]
        events += [launch(at + length - 9, 1, last), kernel("gemm", at + length - 7, 5, last)]
    path = tmp_path / "waits.json"
    path.write_bytes(document(*events))
    with Source(path) as source:
        charged = charge(read(source, Choices(), also=NEEDS), Choices())
    summary = summarize_charged(charged, Choices())
    (place,) = timeline_of(charged, summary, Most()).places[1:2]
    assert summary.findings[1].message.startswith("LLM decode waits for launches")
    assert "(LLM prefill too)" in summary.findings[1].message
    assert place is not None
    assert place.what == "decode step 1"


def test_every_finding_on_a_recording_leads_somewhere(tmp_path: Path) -> None:
    with Source(staged_trace(tmp_path / "run.json", steps=30, ops=20)) as source:
        charged = charge(read(source, Choices(), also=NEEDS), Choices())
    summary = summarize_charged(charged, Choices())
    timeline = timeline_of(charged, summary, Most())
    assert len(summary.findings) > 3
    assert all(timeline.places)

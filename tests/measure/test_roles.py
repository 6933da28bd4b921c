"""Stages of several models."""

from __future__ import annotations

from support.chrome import kernel, launch, span, trace_of

from reports.document import of_summary
from reports.render.text import render
from tracer.document.summary import Summary
from tracer.summarize import summarize


def _two(large: str) -> Summary:
    events = []
    names = ["tracer/small/prefill", large, "tracer/small/decode#1", "tracer/load"]
    for number, name in enumerate(names):
        at = 20 * number
        events += [span(name, at, 10), launch(at + 1, 1, number + 1), kernel("k", at + 3, 5 + number, number + 1)]
    return summarize(trace_of(*events))


def test_each_models_stages_add_up_to_the_stages() -> None:
    summary = _two("tracer/large/prefill")
    assert [(row.role, row.stage, row.calls, row.device_time_ns) for row in summary.roles] == [
        ("small", "prefill", 1, 5_000),
        ("small", "decode", 1, 7_000),
        ("large", "prefill", 1, 6_000),
        ("", "load", 1, 8_000),
    ]
    for stage in summary.stages:
        own = [row for row in summary.roles if row.stage == stage.stage]
        assert sum(row.busy_ns or 0 for row in own) == stage.busy_ns
        assert sum(row.idle_ns or 0 for row in own) == stage.idle_ns
        assert sum(row.cpu_ns for row in own) == stage.cpu_ns
    assert "stages by model" in render(of_summary(summary))


def test_stages_of_one_model_each_need_no_table_of_their_own_and_one_model_has_no_roles() -> None:
    assert "stages by model" not in render(of_summary(_two("tracer/large/vision")))
    alone = trace_of(span("tracer/prefill", 0, 10), launch(1, 1, 1), kernel("k", 3, 5, 1))
    assert summarize(alone).roles == []

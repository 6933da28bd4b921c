"""Device ops that nothing joins to launches: no stage is said to have asked for none."""

from __future__ import annotations

from typing import Any

import pytest
from support.chrome import Event, call, kernel, launch, span, trace_of

from tracer.compare.gates import check_budgets, parse_budget
from tracer.document.summary import Lost, Summary
from tracer.summarize import summarize


def _steps(*, launches: bool = True, joined: int = 0, number: int | None = None) -> list[Event]:
    events: list[Event] = []
    for step in range(1, 5):
        correlation = step if step <= joined else number
        events += [span(f"tracer/decode#{step}", 100 * step, 90), kernel("k", 100 * step + 20, 50, correlation)]
        events += [launch(100 * step + 5, 5, step if number is None else number)] if launches else []
    return events


def _answers(**choices: Any) -> tuple[Summary, dict[str, str]]:
    summary = summarize(trace_of(*_steps(**choices)))
    return summary, {one.what: one.reason for one in summary.abstained}


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({}, "none of 4 ops bears the number of a call"),
        ({"number": 0}, "none of 4 ops bears the number of a call"),
        ({"launches": False}, "none of 4 ops has a launch record"),
    ],
    ids=["no numbers", "zeros", "no launches"],
)
def test_stages_of_ops_that_nothing_joins_to_launches_are_not_said_to_be_empty(
    choices: dict[str, Any], reason: str
) -> None:
    summary, why = _answers(**choices)
    assert (summary.stages, summary.tokens, summary.findings) == ([], [], [])
    assert (summary.device.ops, summary.device.unattributed.reasons["no_launch_record"].ops) == (4, 4)
    assert why["the stages of device ops"].startswith(reason)
    assert {row.device_time_ns for row in summary.ranges} == {None}
    assert not isinstance(summary.lost, Lost)
    (gate,) = check_budgets(summary, [parse_budget("decode<=90%")])
    assert (gate.passed, gate.value, gate.reason.startswith(reason)) == (False, None, True)


def test_where_some_are_joined_the_others_are_orphans_and_launches_without_an_op_lost() -> None:
    summary, why = _answers(joined=2)
    (decode,) = summary.stages
    assert (decode.ops, decode.device_time_ns) == (2, None)
    assert isinstance(summary.lost, Lost)
    assert "the stages of device ops" not in why


def test_beside_orphans_of_an_earlier_time_lost_launches_keep_their_stage() -> None:
    replays = [event for step in (1, 2, 3) for event in (
        span(f"tracer/decode#{step}", 100 * step, 90), call("hipGraphLaunch", 100 * step + 5, 5, step),
    )]  # fmt: skip
    summary = summarize(trace_of(kernel("before", 10, 5, 77), *replays))
    (decode,) = summary.stages
    assert (decode.device_time_ns, decode.counts.launches) == (None, 3)
    assert [token.device_time_ns for token in summary.tokens] == [None] * 3

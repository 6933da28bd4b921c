from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from support.chrome import Event, kernel, launch, span, trace_of
from support.findings import found, steps

from tracer.findings.draft_waits_for_host import FINDING, find
from tracer.summarize import summarize

ID = FINDING.id


def _slow_draft(gap: float) -> list[Event]:
    """Drafts of three kernels of 10 us, each asked for that long after the one before is over."""
    events: list[Event] = []
    for number in range(3):
        at = number * (10 + gap)
        events += [launch(at, 1, number + 1), kernel("k", at + 2, 10, number + 1)]
    whole = 3 * (10 + gap)
    check = [span("tracer/verify#1", whole, 20), launch(whole, 1, 9), kernel("k", whole + 2, 10, 9)]
    return [span("tracer/draft#1", 0, whole), *events, *check]


def test_a_draft_whose_device_waits_to_be_asked_is_named() -> None:
    finding = found(ID, *_slow_draft(gap=40))
    assert finding is not None
    assert finding.evidence["host_ns"] == 2 * 38_000
    assert found(ID, *_slow_draft(gap=5)) is None


@pytest.mark.parametrize(("early_us", "gap", "answered"), [(0, 40, True), (1000, 40, False), (1000, 5, True)])
def test_of_a_clock_that_is_off_nobody_knows_whether_the_draft_had_been_asked_for(
    early_us: float, gap: float, answered: bool
) -> None:
    events = [one | {"ts": one["ts"] - early_us * (one["cat"] == "kernel")} for one in _slow_draft(gap)]
    told = summarize(trace_of(*events)).abstained
    assert [one.what for one in told if one.what == f"finding {ID}"] == [f"finding {ID}"] * (not answered)


def test_without_a_draft_nothing_waits() -> None:
    assert found(ID, *steps()) is None


@pytest.mark.parametrize(("passes", "raised"), [(0, False), (7, True), (None, True)])
def test_what_is_looked_up_in_the_prompt_has_no_step_to_be_replayed(passes: int | None, raised: bool) -> None:
    stage = SimpleNamespace(busy_ns=10, idle_ns=90, ops=3, idle=SimpleNamespace(host_ns=80))
    evidence: Any = SimpleNamespace(
        ranges=SimpleNamespace(engine=False),
        stage=lambda _: stage,
        on_gpu=True,
        work=SimpleNamespace(clock_is_off=False),
        speculation=SimpleNamespace(roles={"draft": SimpleNamespace(passes=passes)}),
        saves=lambda *_: None,
    )
    assert (find(evidence) is not None) == raised

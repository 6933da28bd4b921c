from __future__ import annotations

from pathlib import Path

import pytest
from support.chrome import Event, call, kernel, launch, span, trace_of
from support.findings import found

from tracer.findings.idle_between_steps import FINDING
from tracer.summarize import summarize, summarize_file

ID = FINDING.id


def _steps(gap: float, name: str = "step[DECODE bs=4]", busy: float = 79) -> list[Event]:
    """Eight steps of 80 us from a graph, the device busy at first, `gap` before the next."""
    events: list[Event] = []
    for step in range(8):
        at = (80 + gap) * step
        events += [span(name, at, 79), launch(at, 0.5, step + 1), kernel("k", at + 1, busy, step + 1)]
    return events


def test_a_device_that_waits_between_steps_is_found() -> None:
    finding = found(ID, *_steps(40))
    assert finding is not None
    assert "nothing was asked for meanwhile" in finding.message
    assert "in 7 gaps" in finding.message
    assert "overlap schedule" in finding.next_step
    assert finding.gain is not None
    assert finding.gain.time_ns == finding.evidence["idle_ns"] == 7 * 41_000


@pytest.mark.parametrize(("gap", "raised"), [(0, False), (8, False), (12, True)])
def test_a_tenth_of_the_time_is_the_threshold(gap: float, raised: bool) -> None:
    assert (found(ID, *_steps(gap)) is not None) == raised


@pytest.mark.parametrize(("gap", "answered"), [(40, False), (0, True)])
def test_of_a_clock_that_is_off_nobody_knows_why_the_device_idles_between_steps(gap: float, answered: bool) -> None:
    events = [one | {"ts": one["ts"] - 1000 * (one["cat"] == "kernel")} for one in _steps(gap)]
    summary = summarize(trace_of(*events))
    assert ID not in [one.id for one in summary.findings]
    assert (f"finding {ID}" not in [one.what for one in summary.abstained]) == answered


def test_pauses_of_traffic_are_not_the_engines() -> None:
    assert found(ID, *_steps(100_000)) is None


def test_a_scheduler_slower_than_its_steps_is_no_pause_where_the_engine_processes_prompts_too() -> None:
    prompt = [span("step[EXTEND bs=4 toks=9]", -100, 90), launch(-95, 0.5, 99), kernel("k", -90, 80, 99)]
    finding = found(ID, *prompt, *_steps(300))
    assert finding is not None
    assert finding.evidence["causes"]["host"] > 7 * 290_000


def test_idle_time_inside_a_step_is_not_between_steps() -> None:
    events: list[Event] = [span("step[DECODE bs=4]", 0, 1000)]
    for number in range(1, 10):
        events += [launch(100 * number, 1, number), kernel("k", 100 * number + 2, 10, number)]
    assert found(ID, *events) is None
    assert found("launch-bound", *events) is not None


def test_what_waits_between_steps_is_not_launch_bound() -> None:
    """No graph shortens it; the steps themselves are one launch each."""
    mostly_idle = _steps(60, busy=20)
    assert found("launch-bound", *mostly_idle) is None
    assert found("launch-bound", *_steps(60, "tracer/decode", busy=20)) is not None
    assert found(ID, *mostly_idle) is not None


def test_a_host_that_waits_for_the_device_is_told_by_another_finding() -> None:
    waits = [call("cudaStreamSynchronize", 1 + 120 * step, 118) for step in range(8)]
    assert found(ID, *_steps(40), *waits) is None
    assert found("sync-per-token", *_steps(40), *waits) is not None


def test_steps_that_a_person_marked_are_no_engines() -> None:
    assert found(ID, *_steps(40, "tracer/decode#1")) is None


def test_a_real_step_that_was_held_up_is_found_with_what_held_it_up(data: Path) -> None:
    summary = summarize_file(data / "kineto_mi300x_sglang_decode_graph.json.gz")
    (finding,) = summary.findings
    assert finding.id == ID
    assert finding.evidence["causes"]["launch"] == pytest.approx(463_176_457)
    assert "another stream" in finding.next_step

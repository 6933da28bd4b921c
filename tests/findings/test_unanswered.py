"""Findings where work was launched and not recorded: who abstains, who does not, and what is said then."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from support.chrome import Event, call, kernel, launch, span, trace_of
from support.findings import GEMM, recorded, waiting_steps

import tracer.findings.find as module_of_find
from tracer.document.names import ALL_STAGES as STAGES
from tracer.document.summary import Summary
from tracer.findings.find import ask, find
from tracer.findings.registry import findings
from tracer.findings.rule import ALL_STAGES, EACH_STAGE, RECORDED, ROOFLINE, STEPS, Rule, Unanswered
from tracer.summarize import summarize

# What they say is in ranges, in latencies, or in the ops that were recorded.
REST_ON_NO_DEVICE_WORK = {
    "acceptance-falls-by-position",
    "memory-headroom",
    "preprocess-dominates-ttft",
    "profiler-distorts",
    "same-stream-overlap",
    "vision-reencoded",
}


@pytest.mark.parametrize("id", sorted(findings()))
def test_every_finding_says_what_it_rests_on(id: str) -> None:
    rests_on = findings()[id].FINDING.rests_on
    assert (rests_on == "") is (id in REST_ON_NO_DEVICE_WORK)
    assert rests_on in ("", ALL_STAGES, EACH_STAGE, RECORDED, ROOFLINE, STEPS, *STAGES)


def _ids(summary: Summary) -> set[str]:
    return {finding.id for finding in summary.findings}


def _replays(events: list[Event]) -> list[Event]:
    """With a graph in the middle of each step of which nothing was recorded."""
    starts = [one["ts"] for one in events if one["name"].startswith("tracer/decode")]
    return [*events, *[call("cudaGraphLaunch", at + 4, 3, 500 + k) for k, at in enumerate(starts)]]


def test_steps_that_wait_for_work_that_was_lost_do_not_wait_for_nothing() -> None:
    events = waiting_steps(gap=30)
    assert "sync-per-token" in _ids(summarize(trace_of(*events)))
    summary = summarize(trace_of(*_replays(events)))
    assert "sync-per-token" not in _ids(summary)
    assert "finding sync-per-token" in [one.what for one in summary.abstained]


def test_a_stage_that_was_recorded_is_spoken_of_while_another_was_not() -> None:
    late = [span("tracer/prefill", 0, 1000)]
    for k in range(1, 11):
        late += [launch(100 * k - 90, 5, k), kernel(GEMM, 100 * k - 80, 5, k)]
    lost = [span("tracer/decode#1", 1000, 100), call("cudaGraphLaunch", 1001, 5, 99)]
    summary = summarize(trace_of(*late, *lost))
    assert "launch-bound" in _ids(summary)
    assert "finding launch-bound of decode" in [one.what for one in summary.abstained]
    (found,) = [finding for finding in summary.findings if finding.id == "launch-bound"]
    assert found.gain is None  # of a whole that nobody knows


def test_of_a_whole_in_which_work_was_lost_outside_all_stages_nobody_has_a_share() -> None:
    stages = [span("tracer/prefill", 0, 100), launch(1, 5, 1), kernel(GEMM, 10, 80, 1)]
    stages += [span("tracer/decode#1", 100, 100), launch(101, 5, 2), kernel(GEMM, 110, 30, 2)]
    behind = [launch(300, 5, 3), kernel(GEMM, 310, 500, 3)]
    whole, lost = summarize(trace_of(*stages, *behind)), summarize(trace_of(*stages, *behind[:1]))
    assert "bottleneck-stage" in _ids(whole)
    assert not _ids(lost) & {"bottleneck-stage", "low-coverage"}
    assert "finding bottleneck-stage" in [one.what for one in lost.abstained]


def test_an_encoder_that_ran_again_did_so_whatever_it_took() -> None:
    events = [span("tracer/prefill", 0, 100), span("tracer/encoder", 10, 30), launch(12, 4, 1)]
    whole = [*events, kernel(GEMM, 20, 9, 1)]
    for found, time_ns in ((summarize(trace_of(*events)), None), (summarize(trace_of(*whole)), 9_000)):
        (again,) = [finding for finding in found.findings if finding.id == "vision-reencoded"]
        assert (again.evidence["device_time_ns"], again.evidence["runs"]) == (time_ns, 1)
        assert ("of device time" in again.message, again.gain is None) == (time_ns is not None, time_ns is None)


def test_latencies_without_a_profiler_stand_whatever_the_trace_lost() -> None:
    from support.findings import latencies

    clean = [latencies()] * 3
    events = [span("tracer/request#0", 0, 900), span("tracer/decode#1", 1, 100), call("cudaGraphLaunch", 2, 4, 1)]
    summary = summarize(trace_of(*events, tracer=recorded(clean=clean)))
    assert summary.latency is not None
    assert summary.latency.tpot_ns == 100_000
    (time,) = summary.budget
    assert (time.busy_ns, time.step_ns, time.clean) == (None, 100_000, True)


def test_a_rule_that_cannot_be_held_against_a_trace_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Rule(id="shy", severity="info", rule="r", reason="r", next_step="n")
    file = SimpleNamespace(FINDING=rule, find=lambda _: Unanswered("no one knows", "ask"))
    monkeypatch.setattr(module_of_find, "findings", lambda: {"shy": file})
    found, unanswered = ask(None)  # type: ignore[arg-type]
    assert (found, find(None)) == ([], [])  # type: ignore[arg-type]
    assert [(one.what, one.because) for one in unanswered] == [("finding shy", "no one knows; ask")]

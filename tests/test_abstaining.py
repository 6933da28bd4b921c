"""What cannot be answered, by what was not recorded and by who is asked: one matrix, each cell an assertion.

A row is a way in which a recording is incomplete, with the twin in which it is not; a column is somebody who answers.
Whoever cannot says why and what to do, in one shape.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.chrome import OTHER, Event, call, kernel, launch, operator, span, trace_of, write
from support.manifests import as_metadata
from support.summaries import requests

from reports.document import of_comparison, of_summary
from reports.render.markdown import render as as_markdown
from reports.render.text import render as as_text
from tracer.cli.cautions import caution
from tracer.cli.critical_path import _check as find_range
from tracer.compare.gates import check_budgets, check_regressions, parse_budget
from tracer.compare.pairs import compare
from tracer.document.errors import InputError
from tracer.document.summary import UNMEASURED, Abstained, Summary
from tracer.predict.whatif import Changes, predict
from tracer.summarize import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def _decode(*missing: int, of: int = 8, first: int = 1, name: str = "cudaLaunchKernel") -> list[Event]:
    """A prefill of a large kernel; steps of 100 us, each of a kernel and a wait, but for those that lack it."""
    events = [span("tracer/request#0", 0, 100 * (of + 1)), span("tracer/prefill", 0, 90)]
    events += [launch(1, 4, 1000), kernel("gemm", 10, 70, 1000)]
    for place, k in enumerate(range(first, first + of), start=1):
        at = 100 * place
        events += [span(f"tracer/decode#{k}", at, 100), call(name, at + 1, 4, k)]
        events += [call("cudaStreamSynchronize", at + 10, 40)]
        events += [] if k in missing else [kernel("gemm", at + 15, 30, k)]
    return events


def _replays(*cut: int) -> list[Event]:
    """The same with a graph of two kernels a step, of which some replays have the first alone."""
    events = [one for one in _decode(name="cudaGraphLaunch") if one["name"] != "gemm" or one["ts"] < 100]
    events += [kernel("gemm", 100 * k + 15, 15, k) for k in range(1, 9)]
    return [*events, *[kernel("add", 100 * k + 31, 15, k) for k in range(1, 9) if k not in cut]]


def _ranges() -> list[Event]:
    return [one for one in _decode() if one["cat"] == "user_annotation"]


def _plain(events: Iterable[Event]) -> list[Event]:
    """Without the ranges that tell the stages."""
    return [one for one in events if not one["name"].startswith("tracer/")]


def _untimed(*steps: int) -> list[Event]:
    """Of some steps the kernels were written as of the epoch."""
    return [
        {**one, "ts": one["ts"] + 10**6}
        if one["cat"] != "kernel" or one["args"]["correlation"] not in steps
        else {**one, "ts": 0, "dur": 0}
        for one in _decode()
    ]


def _unwatched() -> list[Event]:
    """The steps are those of a thread that the profiler did not watch."""
    work = [one for k in range(1, 9) for one in (launch(100 * k, 4, k, tid=OTHER), kernel("gemm", 100 * k + 9, 30, k))]
    return [operator("aten::mm", 0, 5), *work]


def _early() -> list[Event]:
    """A device whose clock is 1 ms before the host's."""
    return [one if one["cat"] != "kernel" else {**one, "ts": one["ts"] - 1000} for one in _decode(of=40)]


CLEAN = as_metadata(requests(30))


@dataclass(frozen=True)
class Row:
    """An incomplete recording.

    Attributes:
        events, metadata: of its trace; `whole` are those of its twin.
        summary: what the summary does not answer: part of `what`, and of the reason.
        findings: those that abstain; their reason is the same.
        predicted: why a what-if on decode is refused; "" where it is answered.
        assumed: what it says then, beside the change.
        compared: what a comparison with itself does not answer, and why.
        budget, judged: a budget, and why it cannot be judged: "" where it is.
        pathless: why no critical path leads through the first decode step, or the trace; "" where one does.
        told: what whoever asks for its tables is told; "" of nothing.
    """

    events: list[Event]
    whole: list[Event]
    metadata: dict[str, object] = field(default_factory=dict)
    whole_metadata: dict[str, object] = field(default_factory=dict)
    summary: tuple[str, str] = ("", "")
    findings: tuple[str, ...] = ()
    predicted: str = ""
    assumed: str = ""
    compared: tuple[str, str] = ("", "")
    budget: str = "tpot<=1s"
    judged: str = ""
    pathless: str = ""
    told: str = ""


UNTIMED = "2 of 9 cudaLaunchKernel have no device op with a usable time"
LACK, PART = "have no device op", "2 of 8 cudaGraphLaunch have a part of the device ops of their graph"
CALLS = "the calls that launched them were not recorded"
NO_RANGE = "there is no range in the file"
UNTESTED = ("latencies", "no pass without a profiler")
HEARD = "launched 8 of 8 ops (240.00 µs), and the file has no operator, range or Python frame of it"
NO_CALLS = "none of 9 ops has a launch record"
ROWS = {
    "lost launches, all": Row(
        events=[one for one in _decode() if one["cat"] != "kernel"],
        whole=_decode(),
        summary=("device, busy and idle time of decode", LACK),
        findings=("sync-per-token", "bottleneck-stage", "launch-bound of prefill", "kv-growth"),
        predicted=LACK,
        compared=("device work of decode in A", LACK),
        judged=LACK,
        pathless=LACK,
        told=LACK,
    ),
    "lost launches, all of a stage": Row(
        events=_decode(*range(1, 9), name="cudaGraphLaunch"),
        whole=_decode(name="cudaGraphLaunch"),
        summary=("device, busy and idle time of decode", LACK),
        findings=("sync-per-token", "bottleneck-stage", "launch-bound of decode", "token-outliers"),
        predicted=LACK,
        compared=("device work of decode in A", LACK),
        judged=LACK,
        pathless="1 launch in it has no device op: 8 of 8",
        told=LACK,
    ),
    "lost of some replays": Row(
        events=_replays(1, 2),
        whole=_replays(),
        summary=("device, busy and idle time of decode", PART),
        findings=("sync-per-token", "bottleneck-stage"),
        assumed="2 of 8 decode steps lack device ops and are taken to be like the others",
        compared=("device work of decode in A", PART),
        budget="decode<=99%",
        judged=PART,
        pathless="1 launch in it has no device op: 2 of 8",
        told=PART,
    ),
    "lost in some steps": Row(
        events=_decode(1, 2),
        whole=_decode(),
        summary=("device, busy and idle time of decode", LACK),
        findings=("sync-per-token", "bottleneck-stage"),
        assumed="2 of 8 decode steps lack device ops and are taken to be like the others",
        compared=("device work of decode in A", LACK),
        pathless="1 launch in it has no device op: 2 of 9",
        told=LACK,
    ),
    "lost in some steps, shares": Row(
        events=_decode(1, 2),
        whole=_decode(),
        summary=("device, busy and idle time of decode", LACK),
        assumed="taken to be like the others",
        compared=("device work of decode in A", LACK),
        budget="decode<=99%",
        judged=LACK,
        pathless=LACK,
        told=LACK,
    ),
    "lost, without stages": Row(
        events=_plain(_decode(1, 2)),
        whole=_decode(),
        summary=("device, busy and idle time", LACK),
        predicted=f"it has no stages, so there is nothing to predict from: {NO_RANGE}.*; mark",
        compared=("device work in A", LACK),
        judged=NO_RANGE,
        pathless="2 launches in it have no device op",
        told=LACK,
    ),
    "lost calls of some steps": Row(
        events=[
            one for one in _decode() if one.get("args", {}).get("correlation") not in (3, 4) or one["cat"] == "kernel"
        ],
        whole=_decode(),
        summary=("all device work of decode", CALLS),
        findings=("sync-per-token", "bottleneck-stage", "launch-bound of decode", "token-outliers"),
        assumed="all device work of decode is taken to be what has a launch record: 2 of 9 device ops",
        compared=("all device work of decode in A", CALLS),
        judged=CALLS,
        pathless=CALLS,
        told=CALLS,
    ),
    "no usable times": Row(
        events=_untimed(3, 4),
        whole=_decode(),
        summary=("device, busy and idle time of decode", UNTIMED),
        findings=("sync-per-token", "bottleneck-stage"),
        assumed="2 of 8 decode steps lack device ops and are taken to be like the others",
        compared=("device work of decode in A", UNTIMED),
        budget="decode<=99%",
        judged=UNTIMED,
        told=UNTIMED,
    ),
    "one thread seen": Row(
        events=_unwatched(),
        whole=_decode(),
        summary=("stages", HEARD),
        predicted="it has no stages, so there is nothing to predict from: thread 2 of process 100 launched 8 of 8 ops",
        compared=("stages", "neither trace has stages"),
        judged=HEARD,
        pathless="of the threads that launched most of it the file has no operator",
    ),
    "no calls": Row(
        events=[one for one in _decode() if one["cat"] != "cuda_runtime"],
        whole=_decode(),
        summary=("the stages of device ops", NO_CALLS),
        predicted=f"it has no stages, so there is nothing to predict from: {NO_CALLS}",
        compared=("the stages of device ops in A", NO_CALLS),
        judged=NO_CALLS,
        pathless=NO_CALLS,
        told=NO_CALLS,
    ),
    "nothing but ranges": Row(
        events=_ranges(),
        whole=_decode(),
        summary=("device, busy and idle time", "no device op, no launch and no CPU operator"),
        compared=("device, busy and idle time in A", "the trace holds ranges and no work"),
        budget="decode<=99%",
        judged="the trace holds ranges and no work",
        pathless="it has no device work, which HolisticTraceAnalysis needs for a critical path: the trace holds",
        told="the trace holds ranges and no work",
    ),
    "no stages": Row(
        events=_plain(_decode()),
        whole=_decode(),
        summary=("stages", NO_RANGE),
        predicted=f"it has no stages, so there is nothing to predict from: {NO_RANGE}.*; mark",
        compared=("stages", "neither trace has stages"),
        judged=NO_RANGE,
    ),
    "nothing at all": Row(
        events=[],
        whole=_decode(),
        summary=("device, busy and idle time", "the trace holds no work"),
        predicted="it has no stages, so there is nothing to predict from: the trace holds no work: .*; record while",
        compared=("device, busy and idle time in A", "the trace holds no work"),
        judged="the trace holds no work",
        pathless="the trace holds no work",
        told="the trace holds no work",
    ),
    "no clean times": Row(
        events=_decode(),
        whole=_decode(),
        whole_metadata={"tracer": CLEAN},
        summary=("latency", "no pass without a profiler"),
        compared=UNTESTED,
        budget="ttft<=1s",
        judged="no pass without a profiler",
    ),
    "one recording each": Row(
        events=_decode(),
        whole=_decode(),
        metadata={"tracer": CLEAN},
        whole_metadata={"tracer": CLEAN},
        compared=("whether latencies differ", "one recording of each run"),
    ),
    "part of the steps recorded": Row(
        events=_decode(of=1),
        whole=_decode(of=2),
        metadata={"tracer": CLEAN},
        whole_metadata={"tracer": CLEAN},
        compared=("whether latencies differ", "one recording of each run"),
    ),
    "none of the steps recorded": Row(
        events=_decode(of=0),
        whole=_decode(of=2),
        metadata={"tracer": CLEAN},
        whole_metadata={"tracer": CLEAN},
        summary=("finding bottleneck-stage", "none of 2 decode steps was recorded"),
        findings=("bottleneck-stage",),
        predicted="has no stage decode",
        compared=("whether latencies differ", "one recording of each run"),
    ),
    "clock off": Row(
        events=_early(),
        whole=_decode(of=40),
        summary=("why the device waits", "the device's clock is off"),
        findings=("launch-bound", "sync-per-token"),
        compared=UNTESTED,
        pathless="the device's clock is off",
        told="the device's clock is off",
    ),
}
IDS = list(ROWS)


def _summary(row: Row) -> Summary:
    return summarize(trace_of(*row.events, **row.metadata))


def _twin(row: Row) -> Summary:
    return summarize(trace_of(*row.whole, **row.whole_metadata))


def _has(found: Iterable[Abstained], what: str, reason: str) -> bool:
    """Whether one of them says this; all of them have a reason and what to do."""
    found = list(found)
    assert all(one.what and one.reason and one.next_step for one in found)
    return any(what in one.what and reason in one.reason for one in found)


@pytest.mark.parametrize("name", IDS)
def test_a_summary_says_what_it_does_not_answer_and_its_twin_answers_it(name: str) -> None:
    row = ROWS[name]
    if row.summary == ("", ""):
        assert not any("time of" in one.what for one in _summary(row).abstained)
        return
    assert _has(_summary(row).abstained, *row.summary)
    assert not _has(_twin(row).abstained, *row.summary)


@pytest.mark.parametrize("name", IDS)
def test_a_finding_that_rests_on_it_abstains_and_says_so_and_that_of_the_twin_does_not(name: str) -> None:
    row = ROWS[name]
    summary, twin = _summary(row), _twin(row)
    unanswered = [one for one in summary.abstained if one.what.startswith("finding ")]
    assert {f"finding {one}" for one in row.findings} <= {one.what for one in unanswered}
    assert bool(unanswered) is bool(row.findings or "decode" in row.summary[0])
    silent = {one.what.split()[1] for one in unanswered if " of " not in one.what}
    assert not silent & {finding.id for finding in summary.findings}
    assert not [one for one in twin.abstained if one.what.startswith("finding ")]


@pytest.mark.parametrize("name", IDS)
def test_a_prediction_is_refused_or_says_what_it_takes_for_granted(name: str) -> None:
    row = ROWS[name]
    changes = Changes(stages={"decode": 0.5})
    if row.predicted:
        with pytest.raises(Exception, match=row.predicted) as refused:
            predict(_summary(row), changes)
        assert str(refused.value).startswith("inline.json") or "decode" in str(refused.value)
        return
    assumptions = predict(_summary(row), changes).assumptions
    assert len(assumptions) == 1 + bool(row.assumed)
    assert row.assumed in assumptions[-1]


@pytest.mark.parametrize("name", IDS)
def test_a_comparison_says_what_it_does_not_answer(name: str) -> None:
    row = ROWS[name]
    summary = _summary(row)
    (pair,) = compare([summary, summary]).pairs
    assert _has(pair.abstained, *row.compared)
    assert all(other.verdict not in ("slower", "faster") for other in pair.rows)
    if row.compared[1] in (LACK, PART, CALLS):
        assert not _has(compare([_twin(row), _twin(row)]).pairs[0].abstained, *row.compared)


def _gate(summary: Summary, budget: str) -> Callable[[], object]:
    return lambda: check_budgets(summary, [parse_budget(budget)])


@pytest.mark.parametrize("name", IDS)
def test_a_budget_is_judged_or_cannot_be_and_says_why(name: str) -> None:
    row = ROWS[name]
    (gate,) = check_budgets(_summary(row), [parse_budget(row.budget)])
    if row.judged:
        assert (gate.value, gate.passed, row.judged in gate.reason, bool(gate.next_step)) == (None, False, True, True)
        (gate,) = check_budgets(_twin(row), [parse_budget(row.budget)])
    assert (gate.value is not None, gate.passed, gate.reason, gate.next_step) == (True, True, "", "")


@pytest.mark.parametrize("name", IDS)
def test_a_limit_of_regressions_cannot_be_judged_by_one_recording_of_each_or_none(name: str) -> None:
    summary = _summary(ROWS[name])
    (gate,) = check_regressions(compare([summary, summary]), 0.05)
    assert (gate.value, gate.passed, bool(gate.reason), bool(gate.next_step)) == (None, False, True, True)


def test_a_limit_of_regressions_is_judged_where_a_tolerance_is_given() -> None:
    summary = summarize(trace_of(*_decode(), tracer=CLEAN))
    (gate,) = check_regressions(compare([summary, summary], tolerance=0.05), 0.1)
    assert (gate.value is not None, gate.passed) == (True, True)


def _step(path: Path, row: Row, events: list[Event]) -> str:
    """Look for a path through the first decode step, or the whole trace where it has no such range."""
    trace = write(path, *events, **row.metadata)
    return find_range(trace, "tracer/decode#1" if any(one["name"] == "tracer/decode#1" for one in events) else "", 0)


@pytest.mark.parametrize("name", IDS)
def test_a_critical_path_is_looked_for_only_where_its_work_is_there(name: str, tmp_path: Path) -> None:
    row = ROWS[name]
    if row.pathless:
        with pytest.raises(InputError, match=re.escape(row.pathless)) as refused:
            _step(tmp_path / "a.json", row, row.events)
        assert "; " in str(refused.value)
    else:
        _step(tmp_path / "a.json", row, row.events)
    # Through replays none leads either, as another test says.
    whole = _decode() if any(one["name"] == "cudaGraphLaunch" for one in row.whole) else row.whole
    assert _step(tmp_path / "twin.json", row, whole) == "tracer/decode#1"


@pytest.mark.parametrize("name", IDS)
def test_whoever_asks_for_tables_is_told_what_is_not_in_them(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    row = ROWS[name]
    caution(_summary(row))
    said = capsys.readouterr().err
    assert (row.told in said, bool(said)) == (True, bool(row.told))
    caution(_twin(row))
    assert not capsys.readouterr().err


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("render", [as_text, as_markdown])
def test_every_renderer_gives_each_reason_and_what_to_do(render: Callable[..., str], name: str) -> None:
    """But for latencies of a trace by itself, in whose place a report shows what there is."""
    summary = _summary(ROWS[name])
    (pair,) = (found := compare([summary, summary])).pairs
    for blocks, told in ((of_summary(summary), summary.abstained), (of_comparison(found), pair.abstained)):
        said = _plainly(render(blocks, width=10_000) if render is as_text else render(blocks, heading=""))
        for one in told:
            if one.reason != UNMEASURED:
                assert _plainly(one.reason.partition(":")[0]) in said
                assert _plainly(one.next_step.partition("; ")[0]) in said


def _plainly(text: str) -> str:
    """The letters and figures alone, whatever is escaped around them."""
    return "".join(re.findall(r"[a-zA-Z0-9]+", html.unescape(text)))

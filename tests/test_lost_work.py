"""Traces that lack device ops, as people met them, and what every verb and renderer says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from support.chrome import call, kernel, launch, span, trace_of, write
from support.typed import typed

from reports.document import of_comparison, of_summary
from reports.render import markdown
from reports.text import render
from tracer.compare.pairs import compare
from tracer.document.summary import Lost, Summary, encode
from tracer.measure.lost import IN_GRAPHS
from tracer.predict.whatif import Changes, predict
from tracer.saved import load_summary
from tracer.summarize import Choices, summarize, summarize_file

GRAPHS, REPLAYS, FIRST = (
    "vllm_graph_replays_without_kernels",
    "graph_without_kernels",
    "first_steps_kernels_dropped",
)
ALL = (GRAPHS, REPLAYS, FIRST)


def _summary(data: Path, name: str) -> Summary:
    return summarize_file(data / "cases" / f"{name}.json")


def _document(data: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(encode(_summary(data, name)))
    return document


def _stage(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [stage for stage in document["stages"] if stage["stage"] == name]
    return found


def test_of_graph_replays_without_kernels_decode_is_unknown_and_prefill_known(data: Path) -> None:
    document = _document(data, GRAPHS)
    assert document["lost"]["by_call"] == {"hipGraphLaunch": 32}
    assert (document["lost"]["launches"], document["lost"]["stages"]) == (32, ["decode"])
    decode, prefill = _stage(document, "decode"), _stage(document, "prefill")
    assert decode["lost"] == {"launches": 32, "ops_missing": True}
    for unknown in ("device_time_ns", "busy_ns", "idle_ns", "idle", "kernels", "categories"):
        assert decode[unknown] is None, unknown
    assert decode["counts"]["launches"] == 3 * 32
    assert {token["counts"]["launches"] for token in document["tokens"]} == {3}
    assert {token["device_time_ns"] for token in document["tokens"]} == {None}
    assert ("lost" in prefill, prefill["ops"], prefill["device_time_ns"]) == (False, 50, 4_500_000)


def test_of_graph_replays_without_kernels_nothing_is_concluded(data: Path) -> None:
    document = _document(data, GRAPHS)
    assert document["findings"] == []
    unanswered = {one["what"] for one in document["abstained"]}
    assert {"finding sync-per-token", "finding bottleneck-stage", "device, busy and idle time of decode"} <= unanswered
    with pytest.raises(Exception, match="what decode would take cannot be predicted: 32 of 32 hipGraphLaunch"):
        predict(_summary(data, GRAPHS), Changes(stages={"prefill": 0.5}))


def test_replays_alone_make_two_launches_a_step(data: Path) -> None:
    document = _document(data, REPLAYS)
    assert document["lost"]["by_call"] == {"hipGraphLaunch": 6}
    assert [token["counts"]["launches"] for token in document["tokens"]] == [2] * 6
    assert (_stage(document, "decode")["device_time_ns"], document["findings"]) == (None, [])


def test_where_the_first_steps_lack_kernels_figures_per_step_are_of_the_others(data: Path) -> None:
    summary = _summary(data, FIRST)
    assert isinstance(summary.lost, Lost)
    assert (summary.lost.launches, summary.lost.of_launches, summary.lost.steps) == (32, 80, 4)
    assert [token.device_time_ns for token in summary.tokens] == [None] * 4 + [720_000] * 6
    assert [token.ops for token in summary.tokens] == [0] * 4 + [8] * 6
    assert {token.counts.launches for token in summary.tokens} == {8}
    (time,) = summary.budget
    assert (time.busy_ns, time.recorded, time.left_out) == (720_000, 10, 4)
    assert "of the 6 whose work was recorded · p50 720 µs" in " ".join(render(summary).split())


def test_a_trace_without_any_device_record_is_no_run_on_a_cpu(data: Path) -> None:
    summary = _summary(data, "xpu_no_device_records")
    said = " ".join([*summary.trace.warnings, render(summary)])
    assert isinstance(summary.lost, Lost)
    assert (summary.lost.launches, summary.lost.by_call) == (8, {"urEnqueueKernelLaunchWithArgsExp": 8})
    assert [(row.name, row.device_time_ns) for row in summary.ranges] == [("generate", None)]
    assert "CPU run" not in said
    assert "8 launches (urEnqueueKernelLaunchWithArgsExp) but no device ops" in said


@pytest.mark.parametrize("name", ALL)
def test_every_renderer_says_that_it_is_unknown_and_what_to_do(data: Path, name: str) -> None:
    summary = _summary(data, name)
    assert isinstance(summary.lost, Lost)
    marked = markdown.render(of_summary(summary), heading="tracer summarize")
    for report in (" ".join(render(summary, width=300).split()), marked):
        assert "unknown" in report
        assert "have no device op" in report
        assert "not answered" in report
        assert "recorded device time" in report
        assert summary.lost.next_step.split(" (")[0] in report


@pytest.mark.parametrize("name", ALL)
def test_what_was_saved_says_the_same(data: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "saved.json"
    path.write_bytes(encode(_summary(data, name)))
    saved = load_summary(path)
    assert (saved.lost, saved.abstained) == (_summary(data, name).lost, _summary(data, name).abstained)
    assert (saved.stages, saved.tokens) == (_summary(data, name).stages, _summary(data, name).tokens)


def _run(*arguments: str | Path) -> tuple[int, str]:
    done = typed(*arguments)
    return done.returncode, done.stderr


@pytest.mark.parametrize("budget", ["decode<=90%", "prefill<=50%", "tpot<=5ms"])
def test_a_budget_on_an_unknown_figure_cannot_be_judged(data: Path, budget: str) -> None:
    code, said = _run("summarize", data / "cases" / f"{GRAPHS}.json", "--budget", budget)
    assert code == 3
    assert f"--budget {budget} cannot be judged: 32 of 32 hipGraphLaunch have no device op" in said


def test_a_budget_on_what_was_recorded_is_judged(data: Path) -> None:
    graphs, first = (data / "cases" / f"{name}.json" for name in (GRAPHS, FIRST))
    assert _run("summarize", graphs, "--budget", "prefill<=5ms") == (0, "")
    assert _run("summarize", graphs, "--budget", "prefill<=4ms")[0] == 3
    # Of the steps that have their kernels.
    assert _run("summarize", first, "--budget", "tpot<=1ms") == (0, "")
    code, said = _run("summarize", first, "--budget", "decode<=99%")
    assert (code, "cannot be judged" in said) == (3, True)


def test_a_prediction_from_the_steps_that_have_their_kernels_says_so(data: Path) -> None:
    found = predict(_summary(data, FIRST), Changes(stages={"decode": 2}))
    assert found.assumptions[-1] == "4 of 10 decode steps lack device ops and are taken to be like the others"


def test_a_comparison_compares_what_was_recorded_and_says_what_was_not(data: Path) -> None:
    graphs, other = _summary(data, GRAPHS), _summary(data, GRAPHS)
    (pair,) = compare([graphs, other]).pairs
    assert [row.of for row in pair.rows] == ["prefill"]
    assert (pair.steps, {change.stage for change in pair.kernels}) == ([], set())
    assert {(one.what, one.reason.split(":")[0]) for one in pair.abstained} >= {
        ("device work of decode in A", "32 of 32 hipGraphLaunch have no device op"),
        ("device work of decode in B", "32 of 32 hipGraphLaunch have no device op"),
    }


def test_a_side_that_lacks_ops_is_unknown_and_not_missing(data: Path) -> None:
    comparison = compare([_summary(data, FIRST), _summary(data, GRAPHS)])
    (pair,) = comparison.pairs
    assert {row.of: row.verdict for row in pair.rows} == {"prefill": "one side only", "tpot": "unknown"}
    said = markdown.render(of_comparison(comparison), heading="tracer compare")
    assert "unknown" in said
    assert "its device work of decode is not compared" in said


def test_explaining_a_finding_says_why_nothing_can_be_told(data: Path) -> None:
    for finding, what in (("sync-per-token", ""), ("launch-bound", " of decode")):
        done = typed("explain", finding, data / "cases" / f"{GRAPHS}.json")
        assert done.returncode == 0
        assert f"finding {finding}{what} cannot be told: 32 of 32 hipGraphLaunch" in done.stdout


def _in_part(data: Path, path: Path, *cut: int) -> Path:
    """The trace whose replays lack their kernels, with eight of 1.1 ms each; the last of some replays left out."""
    document = json.loads((data / "cases" / f"{GRAPHS}.json").read_text())
    replays = [event for event in document["traceEvents"] if event["name"] == "hipGraphLaunch"]
    document["traceEvents"] += [
        kernel(f"k{node}", event["ts"] + 30 + 1150 * node, 1100, event["args"]["correlation"], stream=0)
        for number, event in enumerate(replays)
        for node in range(3 if number in cut else 8)
    ]
    path.write_text(json.dumps(document))
    return path


def test_of_replays_that_have_a_part_of_their_kernels_the_rest_is_lost(data: Path, tmp_path: Path) -> None:
    path = _in_part(data, tmp_path / "part.json", 4, 5, 9)
    summary = summarize_file(path)
    document = json.loads(encode(summary))
    lost, decode = document["lost"], _stage(document, "decode")
    assert (lost["launches"], lost["in_part"], lost["by_call"]) == (3, 3, {"hipGraphLaunch": 3})
    assert lost["reason"].startswith("3 of 32 hipGraphLaunch have a part of the device ops of their graph: ")
    assert (decode["device_time_ns"], decode["lost"]["launches"], decode["counts"]["launches"]) == (None, 3, 96)
    known = [token["device_time_ns"] is not None for token in document["tokens"]]
    assert [number for number, one in enumerate(known) if not one] == [4, 5, 9]
    for report in (render(summary, width=300), markdown.render(of_summary(summary), heading="tracer summarize")):
        assert "have a part of the device ops of their graph" in " ".join(report.split())
    code, said = _run("summarize", path, "--budget", "decode<=90%")
    assert (code, "cannot be judged: 3 of 32 hipGraphLaunch have a part" in said) == (3, True)


def test_of_whole_replays_nothing_is_lost_and_of_those_that_all_end_too_soon_all(data: Path, tmp_path: Path) -> None:
    assert summarize_file(_in_part(data, tmp_path / "whole.json")).lost is UNSET
    found = summarize_file(_in_part(data, tmp_path / "none.json", *range(32))).lost
    assert isinstance(found, Lost)
    assert (found.in_part, found.next_step) == (32, IN_GRAPHS)


def test_a_part_of_a_trace_knows_which_of_its_replays_lack_ops_though_no_other_is_in_it(
    data: Path, tmp_path: Path
) -> None:
    path = _in_part(data, tmp_path / "part.json", 4, 5, 9)
    part = tmp_path / "slice.json"
    assert _run("slice", path, "--tokens", "5:6", "-o", part)[0] == 0
    (token,) = summarize_file(part).tokens
    (same,) = [one for one in summarize_file(path).tokens if one.index == token.index]
    assert (token.device_time_ns, token.lost) == (same.device_time_ns, same.lost)


def test_what_is_broken_down_is_of_steps_that_have_their_kernels(data: Path) -> None:
    for name, rows, said in (
        (FIRST, {"decode"}, "decode: of the 6 of 10 decode steps whose work was recorded"),
        (GRAPHS, {"prefill"}, "decode: unknown, launches of it lack device ops"),
    ):
        summary = summarize_file(data / "cases" / f"{name}.json", Choices(by="kernel"))
        assert summary.breakdown is not None
        assert {row.stage for row in summary.breakdown.rows} == rows
        assert "device time of decode by kernel" in [one.what for one in summary.abstained]
        report = " ".join(render(summary, width=300).split())
        assert (said in report, "share: of all" in report) == (True, False)
    summary = summarize_file(data / "cases" / f"{FIRST}.json", Choices(by="category"))
    assert summary.breakdown is not None
    assert [row.ops for row in summary.breakdown.rows] == [6 * 8]


def test_without_stages_nothing_has_a_share_of_what_was_not_recorded(data: Path, tmp_path: Path) -> None:
    document = json.loads((data / "cases" / f"{FIRST}.json").read_text())
    for event in document["traceEvents"]:
        event["name"] = event["name"].replace("step[DECODE bs=1]", "some range")
    for name, missing in (("lost", True), ("whole", False)):
        replaced = [one for one in document["traceEvents"] if one["cat"] != "kernel"]
        launched = [one for one in replaced if one["cat"] == "cuda_runtime"] if not missing else []
        kernels = [one for one in document["traceEvents"] if one["cat"] == "kernel"] if missing else []
        kernels += [kernel("k", one["ts"] + 5, 2, one["args"]["correlation"]) for one in launched]
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({**document, "traceEvents": replaced + kernels}))
        report = " ".join(render(summarize_file(path), width=200).split())
        shares = ("share: of all device time" in report, "No shares: all device time is unknown" in report)
        assert shares == (not missing, missing)


def test_steps_that_a_finding_is_about_are_counted_where_others_lack_ops() -> None:
    def said(*missing: int) -> str:
        events = [span("tracer/request#0", 0, 1000)]
        for k in range(1, 10):
            events += [span(f"tracer/decode#{k}", 100 * k, 90), call("cudaMemcpyAsync", 100 * k + 1, 4, k)]
            args = {"bytes": 64}
            copy = kernel("Memcpy HtoD (Pinned -> Device)", 100 * k + 9, 2, k, cat="gpu_memcpy", args=args)
            events += [] if k in missing else [copy]
        (found,) = [one for one in summarize(trace_of(*events)).findings if one.id.startswith("host-to-device")]
        return found.message

    assert said() == "each decode step copies 64 bytes from the host to the device"
    assert said(1, 2) == f"{said()} (7 of 9 decode steps; of the others not all was recorded)"


def test_a_gain_is_no_part_of_a_whole_that_is_not_known() -> None:
    def gain(*missing: int) -> object:
        events = [span("tracer/request#0", 0, 3000), span("tracer/prefill", 0, 1000)]
        for n in range(10):
            events += [call("cudaLaunchKernel", 100 * n + 1, 4, n + 50), kernel("k", 100 * n + 9, 5, n + 50)]
        for k in range(1, 5):
            events += [span(f"tracer/decode#{k}", 1000 + 100 * k, 90), call("cudaLaunchKernel", 1001 + 100 * k, 4, k)]
            events += [] if k in missing else [kernel("k", 1009 + 100 * k, 80, k)]
        (found,) = [one for one in summarize(trace_of(*events)).findings if one.id == "launch-bound"]
        return found.gain

    assert (gain() is None, gain(2)) == (False, None)


def test_the_course_of_steps_begins_with_the_first_that_is_known(data: Path) -> None:
    assert "#5 720 µs" in " ".join(render(_summary(data, FIRST)).split())


def test_a_part_loses_what_the_whole_does_whatever_else_is_in_it(tmp_path: Path) -> None:
    events = []
    for request in (0, 1):
        at = 1000 * request
        events.append(span(f"tracer/request#{request}", at, 990))
        for k in range(1, 8):
            # Of the whole a quick copy had an op; of what is around the lost one none took as little.
            took, number = (3 if (request, k) == (0, 1) else 4 if (request, k) == (1, 6) else 9), at + k
            events += [span(f"tracer/decode#{k}", at + 100 * k, 90), launch(at + 100 * k + 20, 4, 5000 + number)]
            events += [kernel("k", at + 100 * k + 30, 20, 5000 + number)]
            events += [call("cudaMemcpyAsync", at + 100 * k + 1, took, number)]
            copy = kernel("Memcpy HtoD (Pinned -> Device)", at + 100 * k + 14, 2, number, cat="gpu_memcpy")
            events += [] if (request, k) == (1, 6) else [copy]
    path = write(tmp_path / "whole.json", *events)
    assert _run("slice", path, "--request", "1", "--tokens", "5:7", "-o", tmp_path / "part.json")[0] == 0
    for summary in (
        summarize_file(path),
        summarize_file(path, Choices(request=1)),
        summarize_file(tmp_path / "part.json"),
    ):
        known = {(token.request, token.index): token.device_time_ns for token in summary.tokens}
        assert [step for step, time_ns in known.items() if time_ns is None] == [(1, 6)]


def test_a_whole_trace_says_nothing_of_lost_work(data: Path) -> None:
    summary = summarize_file(data / "kineto_b200_vllm_eager.json.gz")
    assert (summary.lost, "lost" in json.loads(encode(summary))) == (UNSET, False)
    report = render(summary)
    assert "unknown" not in report
    assert "not answered" not in report

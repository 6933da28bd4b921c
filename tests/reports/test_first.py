"""What to do first: three findings at most, a line each, within the first 24 lines."""

from __future__ import annotations

from pathlib import Path

from support.chrome import kernel, launch, operator, span, trace_of

from reports.asked import Asked
from reports.document import of_summary
from reports.render.text import render
from reports.text import render as rendered
from tracer.saved import load_summary
from tracer.summarize import Choices, summarize

SAVED = Path(__file__).parents[2] / "benchmarks/results/h200_eventgpt_7b/summary.json"


def _first(text: str) -> list[str]:
    _, _, rest = text.partition("\n\nwhat to do first\n")
    return rest.split("\n\n")[0].splitlines()


def test_the_first_24_lines_say_where_the_time_goes_and_what_to_do() -> None:
    head = "\n".join(rendered(load_summary(SAVED), width=80).splitlines()[:24])
    assert "decode         63   2.30 s   397 ms" in head
    assert [line.split("[")[-1] for line in _first(head + "\n\n") if "[" in line] == [
        "launch-bound]", "unfused-elementwise]", "token-outliers]",
    ]  # fmt: skip


def test_a_line_says_what_to_do_and_what_that_gains() -> None:
    assert _first(rendered(load_summary(SAVED), width=80))[0] == (
        "▲ launch less: up to 1.01 s of 1.44 s (a request)  [launch-bound]"
    )


def test_where_nothing_gains_nothing_is_to_be_done_first() -> None:
    quiet = summarize(trace_of(span("tracer/prefill", 0, 9), launch(1, 1, 1), kernel("gemm", 2, 50, 1)))
    assert not _first(rendered(quiet, width=80))


def test_of_findings_that_say_to_do_the_same_the_one_that_gains_most_stands_there() -> None:
    """A server's step that waits for its tokens: the gap is between steps, and behind the wait."""
    events = [
        event
        for k in range(12)
        for event in (
            span("step[DECODE bs=1]", 100 * k, 90),
            launch(100 * k + 1, 1, k + 1), kernel("gemm", 100 * k + 3, 60, k + 1),
            {**launch(100 * k + 4, 60, 100 + k), "name": "cudaEventSynchronize"},
        )
    ]  # fmt: skip
    summary = summarize(trace_of(*events))
    assert {finding.id for finding in summary.findings} == {"idle-between-steps", "sync-per-token"}
    (line,) = [line for line in _first(rendered(summary, width=140)) if line.startswith("▲")]
    assert line.startswith("▲ let the engine prepare a step while the one before runs: up to ")
    assert line.endswith(f"[{summary.findings[0].id}]")


def _of(**asked: str) -> str:
    trace = trace_of(
        span("tracer/vision", 0, 50), span("tracer/prefill", 50, 150),
        launch(1, 1, 1), kernel("b", 2, 8, 1), launch(60, 1, 2), kernel("a", 62, 18, 2), launch(90, 1, 3),
        kernel("b", 95, 8, 3), launch(99, 1, 4), kernel("b", 105, 8, 4),
    )  # fmt: skip
    return render(of_summary(summarize(trace, Choices(by="kernel")), Asked(**asked)), width=100)


def test_a_stage_alone_is_shown() -> None:
    assert "vision" in _of()
    assert "vision" not in _of(stage="prefill")


def test_rows_are_sorted_by_time_count_or_name() -> None:
    def names(**asked: str) -> list[str]:
        rows = [line.split() for line in _of(stage="prefill", **asked).splitlines()]
        return [word for row in rows for word in row[:2] if word in ("a", "b")]

    assert names(sort="time") == ["a", "b"]
    assert names(sort="ops") == ["b", "a"]
    assert names(sort="name") == ["a", "b"]


def test_that_a_devices_clock_is_off_is_said_first_for_why_it_waited_is_unknown() -> None:
    def first(early: float) -> list[str]:
        steps = [(at, number) for number, at in enumerate(range(100, 1100, 100), start=1)]
        events = [span(f"tracer/decode#{number}", at, 60) for at, number in steps]
        events += [launch(at + 10, 1, number) for at, number in steps]
        events += [kernel("gemm", at + 12 - early, 5, number) for at, number in steps]
        return _first(rendered(summarize(trace_of(*events)), width=120))

    assert first(early=80)[0] == "▲ record again: the device's clock is off against the host's"
    assert not [line for line in first(early=0) if "clock" in line]


def test_without_stages_too_that_ops_are_missing_or_join_no_launch_is_said_first() -> None:
    missing = summarize(trace_of(operator("aten::mm", 0, 20), launch(1, 1, 1), launch(5, 1, 2)))
    assert _first(rendered(missing, width=80)) == ["▲ record the device's activity too: device ops are missing"]
    unjoined = summarize(trace_of(span("step[DECODE bs=1]", 0, 50), kernel("gemm", 2, 8, 1), kernel("gemm", 12, 8, 2)))
    assert _first(rendered(unjoined, width=90)) == [
        "▲ record with a profiler that writes the runtime's calls too: none of 2 ops has a launch", "  record"
    ]  # fmt: skip
    alone = summarize(trace_of(kernel("gemm", 2, 8, 1), kernel("gemm", 12, 8, 2)))
    assert _first(rendered(alone, width=80)) == ["▲ record the host too: none of 2 ops has a launch record"]
    whole = summarize(trace_of(operator("aten::mm", 0, 20), launch(1, 1, 1), kernel("gemm", 2, 8, 1)))
    assert not _first(rendered(whole, width=80))

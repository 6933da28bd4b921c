from __future__ import annotations

from pathlib import Path

from hypothesis import given
from support.chrome import kernel, launch, span, trace_of
from support.strategies import gpu_traces

from tracer.charge.overlaps import Overlaps, clip, measure
from tracer.document.summary import Finding, Summary
from tracer.summarize import Choices, summarize
from tracer.trace.columns import Trace, Want
from tracer.trace.reader import read_trace


def _finding(summary: Summary) -> Finding | None:
    return next((finding for finding in summary.findings if finding.id == "same-stream-overlap"), None)


def test_overlaps_are_counted_per_stream() -> None:
    trace = trace_of(
        kernel("a", 0, 10, stream=1), kernel("b", 8, 4, stream=1), kernel("c", 9, 1, stream=1),
        kernel("other stream", 5, 5, stream=2), kernel("other device", 5, 5, stream=1, device=1),
    )  # fmt: skip
    assert measure(trace.ops) == Overlaps(ops=2, time_ns=3_000, swallowed=1, longest_ns=2_000)


def test_dependent_launch_is_told_from_late_ends() -> None:
    early = summarize(trace_of(*[kernel("k", 10 * i, 10.5, i + 1) for i in range(20)]))
    finding = _finding(early)
    assert finding is not None
    assert (finding.severity, finding.evidence["cause"]) == ("info", "dependent-launch")
    late = summarize(trace_of(kernel("late", 0, 2_000_000), *[kernel("k", 10 * i, 8) for i in range(20)]))
    finding = _finding(late)
    assert finding is not None
    assert (finding.severity, finding.evidence["cause"]) == ("warning", "late-end")
    assert "--clip-overlaps" in finding.message
    assert late.device.same_stream_overlap_ns == finding.evidence["overlap_ns"] > 0


def test_streams_in_order_say_nothing() -> None:
    summary = summarize(trace_of(kernel("a", 0, 5), kernel("b", 5, 5)))
    assert _finding(summary) is None
    assert summary.device.same_stream_overlap_ns == 0


def test_times_change_only_by_choice_and_the_choice_is_said() -> None:
    trace = trace_of(kernel("late", 0, 1_000), kernel("k", 10, 8), kernel("k", 20, 8))
    kept, cut = summarize(trace), summarize(trace, Choices(clip_overlaps=True))
    assert kept.device.time_ns == 1_016_000
    assert cut.device.time_ns == 26_000
    assert kept.trace.choices == []
    assert cut.trace.choices == ["ops were cut at the start of the next on their stream"]


@given(gpu_traces())
def test_clipped_streams_never_overlap(trace: Trace) -> None:
    clipped = clip(trace)
    assert measure(clipped.ops).time_ns == 0
    assert (clipped.ops.end_ns <= trace.ops.end_ns).all()
    assert (clipped.ops.end_ns >= clipped.ops.start_ns).all()


def test_launches_of_other_threads_are_given_to_the_open_stage_only_by_choice() -> None:
    trace = trace_of(
        span("tracer/prefill", 0, 10), launch(3, 1, 1, tid=2), launch(30, 1, 2, tid=2),
        kernel("backward", 5, 1, 1), kernel("outside", 35, 1, 2),
    )  # fmt: skip
    plain, chosen = summarize(trace), summarize(trace, Choices(any_thread=True))
    assert plain.device.unattributed.reasons["other_thread"].ops == 1
    assert plain.stages[0].ops == 0
    assert chosen.stages[0].ops == 1
    assert chosen.device.unattributed.reasons["other_thread"].ops == 0
    assert chosen.device.unattributed.reasons["outside_ranges"].ops == 1
    assert "another thread" in chosen.trace.choices[0]


def test_parallel_branches_of_a_replayed_graph_keep_streams_of_their_own(data: Path) -> None:
    """Recorded on an H100: two branches of one graph run side by side, and no op overlaps on its stream."""
    trace = read_trace(data / "h100_branches.json.gz", Want.SUMMARY)
    assert len(set(trace.ops.stream.tolist())) > 1
    assert measure(trace.ops).ops == 0
    summary = summarize(trace)
    assert "same-stream-overlap" not in [finding.id for finding in summary.findings]
    assert summary.device.busy_ns < summary.device.time_ns

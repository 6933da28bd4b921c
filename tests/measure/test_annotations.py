from __future__ import annotations

from support.chrome import call, kernel, launch, operator, span, trace_of

from tracer.document.summary import RangeRow, Summary
from tracer.summarize import summarize


def _row(summary: Summary, name: str) -> RangeRow:
    (found,) = [row for row in summary.ranges if row.name == name]
    return found


def test_time_on_the_host_counts_once_on_each_thread() -> None:
    trace = trace_of(
        span("a", 0, 10), span("a", 2, 3), span("a", 20, 5), span("a", 0, 10, tid=2), launch(1, 1, 1),
        kernel("k", 3, 4, 1),
    )  # fmt: skip
    row = _row(summarize(trace), "a")
    assert (row.count, row.cpu_ns, row.device_time_ns) == (4, 25_000, 4_000)


def test_ranges_of_a_trace_without_device_work_hold_their_operators_self_time() -> None:
    trace = trace_of(
        span("outer", 0, 100), span("inner", 10, 20), operator("aten::mm", 12, 8), operator("aten::add", 14, 2),
        operator("aten::elsewhere", 200, 9), operator("aten::mm", 12, 8, tid=2),
    )  # fmt: skip
    summary = summarize(trace)
    inner, outer = _row(summary, "inner"), _row(summary, "outer")
    assert (inner.ops, inner.device_time_ns, inner.cpu_ns) == (2, 8_000, 20_000)
    assert (outer.ops, outer.device_time_ns, outer.cpu_ns) == (2, 8_000, 100_000)


def test_operators_say_nothing_where_a_device_worked() -> None:
    trace = trace_of(span("a", 0, 10), operator("aten::mm", 1, 5), launch(2, 1, 1), kernel("k", 3, 4, 1))
    row = _row(summarize(trace), "a")
    assert (row.ops, row.device_time_ns) == (1, 4_000)


def test_each_device_has_its_own_window() -> None:
    trace = trace_of(
        launch(1, 1, 1), launch(2, 1, 2), launch(3, 1, 3), call("cudaStreamSynchronize", 5, 2),
        kernel("k", 10, 5, 1), kernel("k", 30, 5, 2), kernel("k", 12, 50, 3, device=1),
    )  # fmt: skip
    device = summarize(trace).device
    assert [(one.id, one.ops, one.time_ns, one.busy_ns, one.idle_ns) for one in device.each] == [
        (0, 2, 10_000, 10_000, 15_000), (1, 1, 50_000, 50_000, 0),
    ]  # fmt: skip
    assert sum(one.busy_ns for one in device.each) == device.busy_ns
    assert summarize(trace_of(operator("aten::mm", 12, 8))).device.each == []


def test_ops_of_threads_without_ranges_are_counted_where_others_have_some() -> None:
    events = [span("step", 0, 100), launch(1, 1, 1), kernel("a", 5, 10, 1)]
    silent = [launch(20, 1, 2, tid=2), kernel("b", 30, 7, 2), launch(22, 1, 3, tid=3), kernel("c", 40, 2, 3)]
    found = summarize(trace_of(*events, *silent, kernel("orphan", 60, 5))).rangeless
    assert found is not None
    assert (found.threads, found.ops, found.device_time_ns, found.of_ops) == (2, 2, 9_000, 4)


def test_a_thread_with_ranges_and_a_trace_without_any_are_no_silent_threads() -> None:
    both = [span("step", 0, 10), span("other", 0, 10, tid=2), launch(50, 1, 1, tid=2), kernel("a", 55, 10, 1)]
    assert summarize(trace_of(*both)).rangeless is None
    assert summarize(trace_of(launch(1, 1, 1), kernel("a", 5, 10, 1))).rangeless is None

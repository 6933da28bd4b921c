"""Ops without a usable time, in either format; and ops at zero that are honest."""

from __future__ import annotations

import pytest
from support.chrome import EVERYTHING, document, kernel, launch, operator, read_bytes, span, trace_of

from tracer.trace.columns import Trace

YEARS_US = 1_615_207_264_505_000
HOUR_US = 3_600_000_000


def _kernels(trace: Trace) -> list[str]:
    return [trace.strings[name] for name in trace.ops.name.tolist()]


@pytest.mark.parametrize("begin", [YEARS_US, 4_550_342_860.5, 1000])
def test_an_op_of_no_length_at_zero_is_left_out_where_all_else_is_later(begin: float) -> None:
    trace = trace_of(
        launch(begin, 5, 1), kernel("k", begin + 10, 5, 1), launch(begin + 20, 5, 2), kernel("lost", 0, 0, 2)
    )
    assert _kernels(trace) == ["k"]
    assert [warning[:32] for warning in trace.warnings] == ["1 device op left out (lost): no "]


def test_where_every_op_lost_its_time_all_are_left_out() -> None:
    trace = trace_of(*(launch(YEARS_US + n, 1, n) for n in range(1, 4)), *(kernel("k", 0, 0, n) for n in range(1, 4)))
    assert len(trace.ops) == 0
    assert trace.warnings[0].startswith("3 device ops left out (k)")


def test_an_op_with_an_end_but_no_beginning_is_left_out_where_all_else_is_far() -> None:
    trace = trace_of(launch(YEARS_US, 5, 1), kernel("k", YEARS_US + 10, 5, 1), kernel("lost", 0, 4_000_000_000, 2))
    assert _kernels(trace) == ["k"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ts": -1_743_521_598_163_202.1}, "no usable timestamp"),
        ({"ts": 18_446_744_073_709_551.615}, "no usable timestamp"),
        ({"ts": None}, "no usable timestamp"),
        ({"dur": 18_446_744_073_709_551.615}, "no usable duration"),
        ({"dur": -5}, "negative duration"),
    ],
)
def test_an_op_whose_time_no_clock_has_is_left_out_counted_and_named(fields: dict[str, object], reason: str) -> None:
    trace = trace_of(launch(10, 5, 1), kernel("k", 20, 5, 1), launch(30, 5, 2), {**kernel("gemm", 40, 5, 2), **fields})
    assert (_kernels(trace), trace.untimed) == (["k"], 1)
    assert trace.warnings == [f"1 device op left out (gemm): {reason}"]


def test_several_ops_at_zero_that_were_launched_later_have_no_time_and_a_single_one_has_a_clock_that_is_off() -> None:
    at_zero = [event for n in range(2) for event in (launch(100 + n, 1, n), kernel("lost", 0, 30, n))]
    others = [launch(200, 1, 7), kernel("k", 210, 30, 7)]
    assert _kernels(trace_of(*at_zero, *others)) == ["k"]
    assert _kernels(trace_of(*at_zero[:2], *others)) == ["lost", "k"]


@pytest.mark.parametrize("begin", [1000.5, YEARS_US])
@pytest.mark.parametrize(
    ("times", "why"),
    [
        ((-1, -1), "several of a stream written to have begun at once, before all calls"),
        ((YEARS_US * 3, YEARS_US * 3 + 70.5), "written to have run more than an hour away from all calls"),
        ((-2 * HOUR_US, -2 * HOUR_US + 1), "written to have run more than an hour away from all calls"),
    ],
)
def test_ops_at_a_time_at_which_nothing_was_called_have_none(begin: float, times: tuple[int, int], why: str) -> None:
    kept = [event for n in range(9) for event in (launch(begin + n, 1, n), kernel("k", begin + 10 * n + 5, 5, n))]
    lost = [event for n, at in enumerate(times, 20) for event in (launch(begin + n, 1, n), kernel("x", at, 30, n))]
    trace = trace_of(*kept, *lost)
    assert (_kernels(trace), trace.untimed) == (["k"] * 9, 2)
    assert trace.warnings == [f"2 device ops left out (x): no usable time, {why}"]


@pytest.mark.parametrize(
    "times",
    [
        [10 * n - 50 for n in range(6)],  # a clock that is early: each begins at a moment of its own
        [-90, -90, *range(-80, 0, 10)],  # also where two of a stream run at once
        [9 * HOUR_US + 10 * n for n in range(6)],  # and where it is far off, but of all
        [10, HOUR_US / 2],  # what began late
    ],
)
def test_ops_of_a_clock_that_is_off_and_late_ones_are_kept(times: list[float]) -> None:
    events = [event for n, at in enumerate(times) for event in (launch(n, 1, n), kernel("k", at, 5, n))]
    assert len(trace_of(*events).ops) == len(times)


def test_single_ops_at_zero_on_streams_of_one_number_are_each_the_only_one_of_theirs() -> None:
    on_each = [kernel("k", 0, 30, n, device=n) for n in (1, 2)]
    assert _kernels(trace_of(launch(100, 1, 1), launch(101, 1, 2), *on_each)) == ["k", "k"]


def test_details_of_what_is_left_out_go_with_it() -> None:
    first = kernel("lost", 0, 0, 2, args={"External id": 7})
    second = kernel("k", YEARS_US + 10, 5, 1, args={"External id": 8})
    trace = read_bytes(document(first, second, operator("aten::mm", YEARS_US, 9, **{"External id": 8})), EVERYTHING)
    assert trace.details is not None
    assert trace.details.of_op.tolist() == [8]


@pytest.mark.parametrize(
    "events",
    [
        [kernel("k", 0, 0, 1), launch(0, 1, 1)],
        [kernel("k", 0, 0, 1), kernel("l", -5, 3, 2)],
        [kernel("k", 0, 5, 1), launch(10, 1, 2), kernel("l", 20, 5, 2)],
        [kernel("k", 0, 0, 1), span("tracer/prefill", -3, 90)],
        [kernel("k", 0, 0)],
    ],
    ids=["with its launch", "later than another", "of some length", "inside a range", "alone"],
)
def test_an_op_at_zero_in_a_trace_that_lives_there_is_kept(events: list[dict[str, object]]) -> None:
    trace = trace_of(*events)
    assert "k" in _kernels(trace)
    assert trace.warnings == []


def test_a_kernel_of_no_length_has_no_time_unless_the_file_has_whole_microseconds_alone() -> None:
    still, others = kernel("k", 30.5, 0, 2), [launch(1, 2, 1), kernel("k", 10, 5, 1), launch(20, 2, 2)]
    trace = trace_of(*others, still)
    assert (len(trace.ops), trace.untimed) == (1, 1)
    assert trace.warnings == ["1 device op left out (k): no usable time, written to have taken none"]
    assert len(trace_of(*others, {**still, "ts": 30}).ops) == 2
    assert len(trace_of(*others, kernel("Memset", 30.5, 0, 2, cat="gpu_memset")).ops) == 2

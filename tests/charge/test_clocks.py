"""Clocks of devices against the host's: what ends behind a wait for it."""

from __future__ import annotations

import pytest
from support.chrome import Event, call, kernel, launch, span, trace_of

from tracer.charge.clocks import Clocks, clocks_of, doubtful_launches
from tracer.charge.launches import find_launches
from tracer.summarize import summarize
from tracer.trace.columns import Trace

STEPS = range(4)


def _clocks(*events: Event) -> Clocks:
    trace = trace_of(*events)
    return clocks_of(trace, find_launches(trace))


def _said(trace: Trace) -> list[str]:
    call = find_launches(trace)
    return doubtful_launches(trace, call, clocks_of(trace, call))


def _copied(later: float, wait: str = "cudaStreamSynchronize") -> list[Event]:
    """Steps that copy to the host and wait for that; the device's clock is so many microseconds behind the host's."""
    events: list[Event] = []
    for step in STEPS:
        at = 1000 * step
        events += [
            span(f"tracer/decode#{step + 1}", at, 990), launch(at + 10, 5, 2 * step + 1),
            kernel("gemm", at + 30 + later, 300, 2 * step + 1),
            call("cudaMemcpyAsync", at + 20, 5, 2 * step + 2),
            kernel("Memcpy DtoH (Device -> Pageable)", at + 340 + later, 10, 2 * step + 2, cat="gpu_memcpy"),
            call(wait, at + 30, 330),
        ]  # fmt: skip
    return events


def test_a_wait_that_ends_before_what_it_waited_for_shows_a_clock_that_is_off() -> None:
    clocks = _clocks(*_copied(later=100))
    # Each step's copy, and what its wait for the one stream was long for: the same.
    assert (clocks.devices, clocks.outlasted, clocks.waits, clocks.latest_ns) == ([0], 8, 8, 90_000)
    assert clocks.distrusted.all()
    trace = trace_of(*_copied(later=100))
    (said,) = _said(trace)
    assert said.startswith("8 of 8 waits of the host end before the op waited for, by up to 90.00 µs: the device's")


def test_of_such_a_clock_no_idle_cause_is_claimed_and_nothing_lies_between_requests() -> None:
    summary = summarize(trace_of(*_copied(later=20_000)))
    (decode,) = summary.stages
    assert decode.idle is not None
    assert decode.idle.unknown_ns == decode.idle_ns == summary.device.idle_ns == 3 * 680_000 + 4 * 10_000
    assert "finding launch-bound" in [one.what for one in summary.abstained]


@pytest.mark.parametrize("later", [0, 10, 14])
def test_a_wait_that_ends_behind_it_or_with_it_shows_none(later: float) -> None:
    clocks = _clocks(*_copied(later))
    assert (clocks.off, clocks.distrusted.any(), clocks.outlasted) == (False, False, 0)


def test_what_is_waited_for_on_another_stream_shows_none() -> None:
    on_the_side = [event for step in STEPS for event in (
        launch(1000 * step + 500, 5, 100 + step), kernel("side", 1000 * step + 510, 400, 100 + step, stream=9),
        call("cudaStreamSynchronize", 1000 * step + 520, 50),
    )]  # fmt: skip
    assert not _clocks(*_copied(0), *on_the_side).off


def test_a_wait_for_all_shows_it_and_one_for_an_event_or_of_no_length_does_not() -> None:
    def steps(name: str, took: float) -> list[Event]:
        return [event for k in STEPS for event in (
            launch(1000 * k, 5, k + 1), kernel("k", 1000 * k + 50, 500, k + 1), call(name, 1000 * k + 10, took),
        )]  # fmt: skip

    assert _clocks(*steps("cudaDeviceSynchronize", 5)).devices == [0]
    assert _clocks(*steps("cudaStreamSynchronize", 100)).devices == [0]
    assert not _clocks(*steps("cudaStreamSynchronize", 5)).off
    assert not _clocks(*steps("cudaEventSynchronize", 100)).off
    assert not _clocks(*steps("cudaDeviceSynchronize", 600)).off


@pytest.mark.parametrize(
    ("name", "shows"),
    [("CopyDeviceToHost", True), ("Memcpy D2M (DEVICE -> MEMORY)", True), ("CopyHostToDevice", False)],
)
def test_a_copy_to_the_host_that_returns_before_it_has_run_shows_it_and_a_single_one_does_not(
    name: str, shows: bool
) -> None:
    copies = [event for k in STEPS for event in (
        call("hipMemcpyWithStream", 1000 * k, 40, k + 1), kernel(name, 1000 * k + 60, 5, k + 1, cat="gpu_memcpy"),
    )]  # fmt: skip
    assert (_clocks(*copies).devices == [0]) == shows
    assert not _clocks(*copies[:2]).off


def test_a_wait_for_an_earlier_copy_shows_none() -> None:
    """As engines do that schedule ahead: behind the copy of a step they wait for that of the step before."""
    assert not _clocks(*_copied(later=100, wait="cudaEventSynchronize")).off


def _on_two_devices(later: float, *, crossed: bool = False) -> list[Event]:
    """Steps that launch on one device and wait, then on another and wait; or, crossed, wait for the first one then.

    The clock of the second is so many microseconds behind the host's.
    """
    events: list[Event] = []
    for step in STEPS:
        at = 2000 * step
        events += [launch(at + 10, 5, 2 * step + 1), kernel("gemm", at + 30, 300 + 600 * crossed, 2 * step + 1)]
        events += [] if crossed else [call("cudaStreamSynchronize", at + 20, 320)]
        events += [launch(at + 400, 5, 2 * step + 2)]
        events += [kernel("gemm", at + 410 + later, 300 + 900 * crossed, 2 * step + 2, device=1, stream=8)]
        events += [call("cudaStreamSynchronize", at + 410, 530 if crossed else 310)]
    return events


def test_of_two_devices_that_a_thread_waits_for_in_turns_the_one_whose_clock_is_late_is_known() -> None:
    assert _clocks(*_on_two_devices(later=100)).devices == [1]
    assert _clocks(*_on_two_devices(later=0)).devices == []


def test_a_wait_for_the_other_of_two_devices_shows_none() -> None:
    assert _clocks(*_on_two_devices(later=0, crossed=True)).devices == []


@pytest.mark.parametrize("from_step", [0, 9, 34])
def test_a_clock_that_goes_off_late_in_a_recording_is_seen_and_its_jump_is_no_slow_step(from_step: int) -> None:
    events = [
        {**event, "ts": event["ts"] + 400 * (event["ts"] > 1000 * from_step)} if "kernel" in event["cat"] else event
        for step in range(40)
        for event in [
            span(f"tracer/decode#{step + 1}", 1000 * step, 990), launch(1000 * step + 10, 5, step + 1),
            kernel("gemm", 1000 * step + 30, 300, step + 1), call("cudaStreamSynchronize", 1000 * step + 20, 320),
        ]
    ]  # fmt: skip
    events += [span("tracer/request#0", -100, 40_200), span("tracer/prefill", -90, 80)]
    assert _clocks(*events).devices == [0]
    summary = summarize(trace_of(*events))
    assert "token-outliers" not in [finding.id for finding in summary.findings]
    assert ("finding token-outliers" in [one.what for one in summary.abstained]) is (from_step > 0)


def test_few_waits_that_end_too_soon_here_and_there_show_none() -> None:
    events = _copied(later=0)
    for step in range(4, 30):
        at, later = 1000 * step, 100 if step % 3 == 0 else 0
        events += [launch(at + 10, 5, 2 * step + 1), kernel("gemm", at + 30 + later, 300, 2 * step + 1)]
        events += [call("cudaStreamSynchronize", at + 30, 310)]
    assert _clocks(*events).devices == []

from __future__ import annotations

from typing import Any

import pytest
from support.chrome import EVERYTHING, Event, document, kernel, launch, read_bytes, span
from support.findings import COST, recorded

from tracer.document.summary import Finding
from tracer.findings.low_occupancy import FINDING
from tracer.summarize import Choices, summarize, summarize_file
from tracer.trace.columns import Want

ID = FINDING.id
DEVICE = [{"id": 0, "name": "a device", "numSms": 100}]


def _steps(*kernels: tuple[str, float, int], stage: str = "decode#{}") -> list[Event]:
    """Ten steps back to back of these kernels: name, microseconds and blocks."""
    events, at, number = [span("tracer/request#0", 0, 100_000)], 0.0, 0
    for step in range(1, 11):
        begin = at
        for name, length, blocks in kernels:
            number += 1
            ran = kernel(name, at + 2, length, number, args={"grid": [blocks, 1, 1], "block": [128, 1, 1]})
            events += [launch(begin + 0.1 * (number % 9), 0.1, number), ran]
            at += length
        events.append(span(f"tracer/{stage.format(step)}", begin, at - begin))
    return events


def _found(*events: Event, choices: Choices | None = None, **metadata: Any) -> Finding | None:
    trace = read_bytes(document(*events, **{"deviceProperties": DEVICE, **metadata}), EVERYTHING | Want.LAUNCHED)
    return next((one for one in summarize(trace, choices).findings if one.id == ID), None)


def test_kernels_of_few_blocks_that_take_much_of_a_step_are_found_with_a_bounded_gain() -> None:
    """30 of 100 us on 20 of 100 multiprocessors: all of them would spare four fifths of that, and no more."""
    finding = _found(*_steps(("gemv", 30, 20), ("gemm", 70, 400)))
    assert finding is not None
    assert "30% of its device time in kernels of few blocks, which leave 80% of 100 multiprocessors" in finding.message
    assert finding.evidence["kernels"] == [{"name": "gemv", "time_ns": 300_000, "blocks": 20}]
    assert finding.gain is not None
    assert finding.gain.time_ns == pytest.approx(240_000, rel=0.01)
    assert finding.gain.at_most


@pytest.mark.parametrize(
    "kernels",
    [
        [("gemv", 20, 20), ("gemm", 80, 400)],  # a small share
        [("gemv", 60, 51), ("gemm", 40, 400)],  # most of the device is filled
        [*[("small", 4.9, 1)] * 10, ("gemm", 40, 400)],  # nothing takes less
        [("ncclDevKernel_AllReduce_Sum_bf16_RING_LL", 60, 24), ("gemm", 40, 400)],  # few on purpose
    ],
)
def test_small_shares_larger_grids_shortest_kernels_and_collectives_are_not(kernels: list[Any]) -> None:
    assert _found(*_steps(*kernels)) is None


def test_prefill_is_not() -> None:
    assert _found(*_steps(("gemv", 90, 20), stage="prefill")) is None


def test_steps_that_mostly_wait_for_their_host_are_not() -> None:
    events: list[Event] = []
    for step in range(1, 11):
        at = 100.0 * step
        ran = kernel("gemv", at + 2, 30, step, args={"grid": [20, 1, 1]})
        events += [span(f"tracer/decode#{step}", at, 100), launch(at + 1, 1, step), ran]
    assert _found(*events) is None


@pytest.mark.parametrize(("peak_gbs", "raised"), [(1.9, False), (2.1, True)])
def test_decoding_near_peak_bandwidth_has_no_use_for_more_blocks(peak_gbs: float, raised: bool) -> None:
    """120 kB in 100 us are 1.2 GB/s."""
    choices = Choices(peak_tflops=1, peak_gbs=peak_gbs)
    assert (_found(*_steps(("gemv", 100, 20)), choices=choices, tracer=recorded(COST)) is not None) == raised


def test_a_device_of_unknown_size_or_kernels_of_unknown_launch_are_silent() -> None:
    assert _found(*_steps(("gemv", 100, 20)), deviceProperties=[{"id": 0, "name": "a device"}]) is None
    assert _found(*_steps(("gemv", 100, 20)), deviceProperties=[{"id": 0, "name": "a", "numSms": "many"}]) is None
    assert _found(*_steps(("gemv", 100, 0))) is None


def test_a_file_is_read_once_more_for_how_its_kernels_were_launched(tmp_path: Any) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(document(*_steps(("gemv", 100, 20)), deviceProperties=DEVICE))
    assert ID in [one.id for one in summarize_file(path).findings]

from __future__ import annotations

from support.chrome import Event, call, kernel, launch, span, trace_of

from tracer.document.summary import Decoding
from tracer.summarize import summarize

STEP_US = 100


def _step(
    request: int, index: int, at: float, kernel_us: float = 50, late_us: float = 0, wait_us: float = 0
) -> list[Event]:
    number = 1000 * request + index
    waiting = [call("cudaStreamSynchronize", at + 1, wait_us)] if wait_us else []
    return [
        span(f"tracer/decode#{index}", at, STEP_US + late_us + wait_us),
        *waiting,
        launch(at + 2 + late_us + wait_us, 1, number),
        kernel("k", at + 10 + late_us + wait_us, kernel_us, number),
    ]


def _decoding(*steps: list[Event], requests: int = 1) -> Decoding:
    length = 10_000
    spans = [span(f"tracer/request#{i}", i * length, length) for i in range(requests)]
    found = summarize(trace_of(*spans, *[event for step in steps for event in step])).decoding
    assert found is not None
    return found


def test_growth_is_the_slope_over_the_index() -> None:
    decoding = _decoding(*[_step(0, k, STEP_US * k, kernel_us=40 + k / 2) for k in range(1, 13)])
    assert decoding.growth is not None
    assert (decoding.growth.ns, decoding.growth.low_ns, decoding.growth.high_ns) == (500, 500, 500)
    assert decoding.outliers == []
    assert decoding.kv_tokens == []


def test_few_steps_say_nothing() -> None:
    decoding = _decoding(*[_step(0, k, STEP_US * k) for k in range(1, 5)])
    assert (decoding.steps, decoding.growth, decoding.drift, decoding.outliers) == (4, None, None, [])


def test_outliers_carry_the_part_that_grew() -> None:
    steps, at = [], 0.0
    longer = {4: {"late_us": 200}, 7: {"kernel_us": 250}, 10: {"wait_us": 150}}
    for k in range(1, 14):
        change = dict(longer.get(k, {}))
        at_next = at + STEP_US + sum(change.values())
        if "kernel_us" in change:
            change["kernel_us"] += 50
        steps.append(_step(0, k, at, **change))
        at = at_next
    found = _decoding(*steps).outliers
    assert [(outlier.index, outlier.cause) for outlier in found] == [(7, "device"), (4, "host"), (10, "sync")]
    assert [outlier.excess_ns for outlier in found] == [250_000, 200_000, 150_000]


def test_drift_is_the_slope_over_requests() -> None:
    steps = [_step(r, k, 10_000 * r + STEP_US * k, kernel_us=40 + r) for r in range(9) for k in (1, 2)]
    decoding = _decoding(*steps, requests=9)
    assert decoding.drift is not None
    assert decoding.drift.ns == 2_000  # two steps a request, a microsecond each


def test_a_trace_that_names_no_requests_is_not_described() -> None:
    trace = trace_of(*[event for k in range(1, 12) for event in _step(0, k, STEP_US * k)])
    assert summarize(trace).decoding is None

from __future__ import annotations

from support.chrome import Event, call, kernel, launch, span, trace_of

from tracer.document.summary import Decoding, Idle, Token
from tracer.measure.decoding import describe
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


def _token(index: int, busy_ns: int, request: int = 0, **idle: int) -> Token:
    total = sum(idle.values())
    return Token(
        request=request, index=index, ops=1, device_time_ns=busy_ns, busy_ns=busy_ns, idle_ns=total,
        idle=Idle(**idle), cpu_ns=busy_ns + total,
    )  # fmt: skip


def _outliers(*busy_ns: int) -> list[int]:
    found = describe([_token(k, ns) for k, ns in enumerate(busy_ns, start=1)], None)
    assert found is not None
    return [outlier.time_ns for outlier in found.outliers]


def test_a_step_stands_out_beyond_five_deviations() -> None:
    """Of steps 2 ns to either side of 100, five are 14.8 ns."""
    around = [98] * 20 + [100] + [102] * 19
    assert _outliers(*around, 114) == []
    assert _outliers(*around, 115) == [115]


def test_a_step_stands_out_beyond_a_tenth_of_the_median_however_alike_the_others_are() -> None:
    alike = [999] * 20 + [1000] + [1001] * 19
    assert _outliers(*alike, 1100) == []
    assert _outliers(*alike, 1101) == [1101]


def test_of_seven_steps_nothing_is_said_and_of_eight_it_is() -> None:
    seven, eight = ([_token(k, 100 + k) for k in range(1, count + 1)] for count in (7, 8))
    assert [found and found.growth is not None for found in (describe(seven, None), describe(eight, None))] == [
        False, True,
    ]  # fmt: skip
    assert _outliers(*[100] * 6, 300) == []
    assert _outliers(*[100] * 7, 300) == [300]


def test_the_twenty_longest_of_many_outliers_are_listed() -> None:
    assert _outliers(*[100] * 40, *range(201, 226)) == list(range(225, 205, -1))


def test_the_cause_is_what_grew_and_not_what_is_largest() -> None:
    steps = [_token(k, 1000, host_ns=10) for k in range(1, 12)]
    found = describe([*steps, _token(12, 1001, host_ns=400)], None)
    assert found is not None
    assert [outlier.cause for outlier in found.outliers] == ["host"]


def test_drift_compares_the_steps_that_all_requests_have() -> None:
    """Later requests answer longer; each shared step takes 3 ns more than in the request before."""
    steps = [_token(k, 100 + 3 * r, request=r) for r in range(8) for k in range(1, 3 + r)]
    found = describe(steps, None)
    assert found is not None
    assert found.drift is not None
    assert found.drift.ns == 2 * 3
    seven = describe([step for step in steps if step.request < 7], None)
    assert seven is not None
    assert seven.drift is None


def test_of_passes_that_may_yield_several_tokens_nothing_is_said_per_token_of_cache() -> None:
    steps = [_token(k, 1000 + 10 * k) for k in range(1, 21)]
    known, unknown = describe(steps, None), describe(steps, None, one_each=False)
    assert known and unknown and known.growth is not None and unknown.growth is None

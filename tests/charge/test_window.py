"""One request of a trace: what the whole says of it, and nothing of the others."""

from __future__ import annotations

import pytest
from support.chrome import kernel, launch, span, trace_of

from tracer.choices import Choices
from tracer.document.errors import InputError
from tracer.document.summary import Summary
from tracer.summarize import summarize
from tracer.trace.columns import Trace


def _two_requests() -> Trace:
    events = []
    for number in (1, 2):
        at = 1000 * number
        events += [
            span(f"tracer/request#{number}", at, 300), span("tracer/prefill", at, 100),
            span("tracer/decode#1", at + 100, 100), span("tracer/decode#2", at + 200, 100),
        ]  # fmt: skip
        for place in range(3):
            correlation = 10 * number + place
            events += [launch(at + 100 * place + 10, 2, correlation)]
            events += [kernel("gemm", at + 100 * place + 15, 20 * number + place, correlation)]
    return trace_of(*events)


def _times(summary: Summary) -> dict[str, tuple[int, int | None, int | None]]:
    return {one.stage: (one.calls, one.device_time_ns, one.busy_ns) for one in summary.stages}


def test_a_request_has_its_own_work_alone() -> None:
    trace = _two_requests()
    assert _times(summarize(trace, Choices(request=2))) == {
        "prefill": (1, 40_000, 40_000),
        "decode": (2, 83_000, 83_000),
    }
    assert [token.request for token in summarize(trace, Choices(request=2)).tokens] == [2, 2]


def test_requests_add_up_to_the_whole() -> None:
    trace = _two_requests()
    parts = [_times(summarize(trace, Choices(request=number))) for number in (1, 2)]
    for stage, figures in _times(summarize(trace)).items():
        assert figures == tuple(sum(column) for column in zip(*(part[stage] for part in parts), strict=True))


def test_a_request_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match="no request 3; it has 1 to 2"):
        summarize(_two_requests(), Choices(request=3))


def test_where_nothing_tells_requests_apart_none_is_shown() -> None:
    trace = trace_of(launch(1, 1, 1), kernel("gemm", 3, 5, 1))
    with pytest.raises(InputError, match="nothing in it tells requests apart"):
        summarize(trace, Choices(request=0))

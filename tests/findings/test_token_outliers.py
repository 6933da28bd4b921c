from __future__ import annotations

from support.chrome import Event, operator, span, trace_of
from support.findings import found, steps

from tracer.findings.token_outliers import FINDING
from tracer.summarize import summarize

ID = FINDING.id


def test_steps_that_stand_out() -> None:
    finding = found(ID, *steps(extra=lambda k: 60 * (k == 7)))
    assert finding is not None
    assert finding.evidence == {"steps": [[0, 7]], "causes": {"device": 1}}
    assert finding.message.startswith(
        "1 decode step stands out (by cause: 1 device); the longest is #7, 60.00 µs above"
    )
    assert finding.gain is not None
    assert finding.gain.time_ns == 60_000
    assert found(ID, *steps(extra=lambda k: 5 * (k == 7))) is None


def test_the_longest_of_several_is_named() -> None:
    finding = found(ID, *steps(extra=lambda k: {3: 60, 7: 80}.get(k, 0)))
    assert finding is not None
    assert finding.message.startswith(
        "2 decode steps stand out (by cause: 2 device); the longest is #7, 80.00 µs above"
    )


def _on_a_cpu(*slow: int) -> list[Event]:
    """Requests of twelve steps of 100 us; in each, one of 300 us."""
    events, at = [], 0.0
    for request, slow_step in enumerate(slow):
        begin = at
        for k in range(1, 13):
            length = 300 if k == slow_step else 100
            events += [span(f"tracer/decode#{k}", at, length), operator("aten::mm", at, length)]
            at += length
        events.append(span(f"tracer/request#{request}", begin, at - begin))
    return events


def test_a_step_of_a_cpu_counts_if_it_stands_out_in_every_request() -> None:
    finding = found(ID, *_on_a_cpu(7, 7))
    assert finding is not None
    assert finding.evidence == {"steps": [[0, 7], [1, 7]], "causes": {"operators": 2}}
    assert found(ID, *_on_a_cpu(7, 3)) is None
    assert found(ID, *_on_a_cpu(7)) is None


def test_no_device_is_the_cause_on_a_cpu() -> None:
    decoding = summarize(trace_of(*_on_a_cpu(7))).decoding
    assert decoding is not None
    assert [outlier.cause for outlier in decoding.outliers] == ["operators"]

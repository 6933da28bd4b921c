from __future__ import annotations

from support.findings import found, steps

from tracer.findings.token_outliers import FINDING

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

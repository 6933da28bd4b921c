from __future__ import annotations

import pytest
from support.chrome import Event, kernel
from support.findings import found

from tracer.findings.same_stream_overlap import FINDING

ID = FINDING.id


def _pair(overlap_us: float, length_us: float = 5000) -> list[Event]:
    """Two kernels on one stream; the second begins so long before the first has ended."""
    return [kernel("a", 0, length_us), kernel("b", length_us - overlap_us, length_us)]


@pytest.mark.parametrize(("overlap_us", "raised"), [(0, False), (9.9, False), (10, True)])
def test_a_thousandth_of_the_device_time_is_worth_saying(overlap_us: float, raised: bool) -> None:
    finding = found(ID, *_pair(overlap_us))
    assert (finding is not None) == raised
    if finding is not None:
        assert (finding.severity, finding.evidence["cause"]) == ("info", "dependent-launch")


@pytest.mark.parametrize(
    ("overlap_us", "severity", "cause"), [(999.999, "info", "dependent-launch"), (1000, "warning", "late-end")]
)
def test_an_overlap_of_a_millisecond_is_a_late_end(overlap_us: float, severity: str, cause: str) -> None:
    finding = found(ID, *_pair(overlap_us))
    assert finding is not None
    assert (finding.severity, finding.evidence["cause"]) == (severity, cause)


@pytest.mark.parametrize(("swallowed", "cause"), [(1, "dependent-launch"), (2, "late-end")])
def test_ends_that_swallow_most_of_what_overlaps_are_late(swallowed: int, cause: str) -> None:
    inside = [kernel("in", 100 + 20 * number, 10) for number in range(swallowed)]
    finding = found(ID, kernel("a", 0, 500), *inside, kernel("b", 450, 100))
    assert finding is not None
    assert finding.evidence["cause"] == cause


def test_one_op_overlaps_and_two_do() -> None:
    one = [kernel("a", 0, 100, 1), kernel("b", 90, 100, 2)]
    finding = found(ID, *one)
    assert finding is not None
    assert finding.message.startswith("1 op overlaps others on its own stream, 10.00 µs")
    finding = found(ID, *one, kernel("c", 180, 100, 3))
    assert finding is not None
    assert finding.message.startswith("2 ops overlap others on their own stream, 20.00 µs")

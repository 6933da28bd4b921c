from __future__ import annotations

import pytest
from support.chrome import Event, kernel, launch, span
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


@pytest.mark.parametrize(
    ("shift_us", "length_us", "cause"),
    [
        (3, 9, "joined-processes"),  # of two machines' processes, which have one number
        (100, 9, "dependent-launch"),  # one call behind the other
        (1, 3, "dependent-launch"),  # a driver's call inside the runtime's
        (8, 3, "dependent-launch"),  # rounded to whole microseconds
    ],
)
def test_calls_at_once_on_one_thread_are_of_several_processes(shift_us: int, length_us: int, cause: str) -> None:
    events = []
    for number in range(5):
        at = 1000 * number
        first, second = launch(at, 9, 2 * number + 1), launch(at + shift_us, length_us, 2 * number + 2)
        ran = [kernel("k", at + 200, 300, 2 * number + 1), kernel("k", at + 450, 300, 2 * number + 2)]
        events += [span(f"tracer/decode#{number + 1}", at, 900), first, second, *ran]
    finding = found(ID, *events)
    assert finding is not None
    assert finding.evidence["cause"] == cause
    assert (finding.severity == "error") == (cause == "joined-processes")
    assert ("annotate --merge" in finding.next_step) == (cause == "joined-processes")

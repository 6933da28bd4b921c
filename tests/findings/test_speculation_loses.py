from __future__ import annotations

from support.findings import found
from support.rounds import rounds

from tracer.findings.speculation_loses import FINDING

ID = FINDING.id


def test_rounds_that_take_longer_than_the_target_alone_lose() -> None:
    finding = found(ID, *rounds([(2, 0)] * 4))
    assert finding is not None
    assert finding.message.endswith("(0.50 x); it breaks even at 50%")
    assert finding.gain is not None and finding.gain.time_ns == 4 * 30_000
    assert found(ID, *rounds([(2, 2)] * 4)) is None


def test_where_no_acceptance_would_pay_that_is_said() -> None:
    finding = found(ID, *rounds([(1, 1)] * 4, draft=40))
    assert finding is not None
    assert finding.message.endswith("no acceptance makes up for it")


def test_nothing_is_said_of_few_rounds_or_of_rounds_that_do_not_say_what_they_accepted() -> None:
    assert found(ID, *rounds([(2, 0)] * 2)) is None
    assert found(ID, *rounds([None] * 4)) is None
    assert found(ID, *rounds([(2, 0)] * 4, alone=0)) is None

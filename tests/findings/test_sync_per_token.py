from __future__ import annotations

import pytest
from support.chrome import Event, call
from support.findings import found, steps, waiting_steps

from tracer.findings.sync_per_token import FINDING, UNLOCATED

ID = FINDING.id


def test_a_wait_in_each_step_is_named_with_the_gap_behind_it() -> None:
    finding = found(ID, *waiting_steps(gap=30))
    assert finding is not None
    assert "cudaStreamSynchronize, 1.0 times a step" in finding.message
    assert finding.evidence["gaps_ns"] == 7 * 30_000
    assert finding.next_step.endswith(f"; {UNLOCATED}")
    assert found(ID, *steps()) is None


def test_a_wait_that_costs_nothing_is_not_worth_a_word() -> None:
    def wait_for_the_step_before(k: int, at: float) -> list[Event]:
        return [call("cudaStreamSynchronize", at + 2, 1)]  # the kernel of this step runs on

    assert found(ID, *steps(more=wait_for_the_step_before)) is None


@pytest.mark.parametrize(("gap", "raised"), [(22, False), (25, True)])
def test_a_fiftieth_of_decodes_time_is_the_threshold(gap: float, raised: bool) -> None:
    """Seven gaps among eight steps: 1.9 % and 2.1 % of their time."""
    assert (found(ID, *waiting_steps(gap=gap, busy=1000)) is not None) == raised


@pytest.mark.parametrize(("count", "raised"), [(2, False), (3, True)])
def test_two_steps_are_too_few_to_speak_of_each(count: int, raised: bool) -> None:
    assert (found(ID, *waiting_steps(gap=30, count=count)) is not None) == raised


@pytest.mark.parametrize(("every", "raised"), [(3, False), (1, True)])
def test_steps_that_wait_now_and_then_are_not_each_step(every: int, raised: bool) -> None:
    assert (found(ID, *waiting_steps(gap=30, every=every)) is not None) == raised

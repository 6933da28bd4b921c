"""Energy of repeated work out of a counter that changes now and then: the truth lies within what is claimed."""

from __future__ import annotations

from bisect import bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.recording.energy.joules import Change, Window, energy_of, period_ns

MS = 1_000_000


class _Device:
    """Draws so many microjoules per nanosecond, in parts of a run that is repeated; tells its counter now and then."""

    def __init__(self, parts: list[tuple[int, int]]) -> None:
        self.parts = parts
        self.run_ns, self.run_uj = sum(ns for ns, _ in parts), sum(ns * rate for ns, rate in parts)

    def total_uj(self, time_ns: int) -> int:
        runs, rest = divmod(time_ns, self.run_ns)
        total = runs * self.run_uj
        for length_ns, rate in self.parts:
            total += min(rest, length_ns) * rate
            rest -= min(rest, length_ns)
        return total

    def changes(self, end_ns: int, period: int, phase: int, every: int, lag: int = 0) -> list[Change]:
        """Its counter, read every so often, as a sampler keeps it; each reading is two pauses long at most."""
        updates = list(range(phase, end_ns + 1, period))
        found, said, before = [], None, 0
        for at in range(0, end_ns, every):
            place = bisect_right(updates, at) - 1
            total = self.total_uj(max(0, updates[place] - lag)) if place >= 0 else None
            if total != said and total is not None and said is not None:
                found.append(Change(before, at, total))
            said, before = total, at
        return found


parts = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)), min_size=1, max_size=4).filter(
    lambda parts: sum(ns * rate for ns, rate in parts) > 0
)


@settings(max_examples=150)
@given(
    parts,
    st.integers(3, 30),
    st.integers(0, 29),
    st.integers(1, 4),
    st.integers(0, 20),
    st.booleans(),
    st.integers(2, 40),
)
def test_the_energy_that_was_planted_lies_within_the_slack(
    drawn: list[tuple[int, int]], period: int, phase: int, every: int, lag: int, goes_on: bool, runs: int
) -> None:
    device = _Device(drawn)
    start = 60 // device.run_ns * device.run_ns + device.run_ns
    window = Window(start, start + runs * device.run_ns, runs, goes_on=goes_on)
    changes = device.changes(window.end_ns + 200, period, phase, every)
    found = energy_of(changes, [window], lag_ns=lag)
    if found is not None:
        assert abs(found.total_uj - runs * device.run_uj) <= found.slack_uj + 1e-6
        assert (found.runs, found.time_ns) == (runs, window.length_ns)


def test_steady_work_is_found_to_a_few_parts_in_a_hundred_within_seconds() -> None:
    device = _Device([(20 * MS, 3), (10 * MS, 1)])
    window = Window(300 * MS, 3000 * MS, 90, goes_on=True)
    found = energy_of(device.changes(3500 * MS, 100 * MS, 7 * MS, 4 * MS), [window])
    assert found is not None
    assert found.precision < 0.03
    assert found.total_uj / found.runs == pytest.approx(device.run_uj, rel=found.precision)


def test_what_a_counter_says_late_changes_nothing_in_steady_work() -> None:
    device, window = _Device([(10 * MS, 2)]), Window(500 * MS, 2500 * MS, 200, goes_on=True)
    for lag in (0, 80 * MS):
        found = energy_of(device.changes(3000 * MS, 100 * MS, 0, 4 * MS, lag), [window])
        assert found is not None
        assert found.total_uj == pytest.approx(200 * device.run_uj, rel=0.02)


def test_other_work_before_a_window_is_left_out_by_the_lag() -> None:
    """A counter that is 100 late says within the window still what was drawn before."""
    changes = [Change(at, at, 1000 * min(at, 300) + 10 * max(0, at - 300)) for at in range(100, 1001, 100)]
    late = [Change(one.after_ns + 100, one.by_ns + 100, one.total_uj) for one in changes]
    window = Window(300, 1000, 7)
    first = energy_of(late, [window])
    assert first is not None
    assert first.total_uj > 7 * 1000 * 1.5
    found = energy_of(late, [window], lag_ns=100)
    assert found is not None
    assert found.total_uj == pytest.approx(7000)


def test_a_window_in_which_the_counter_hardly_changes_says_nothing() -> None:
    changes = [Change(0, 1, 10), Change(100, 101, 20), Change(200, 201, 30)]
    assert energy_of(changes, [Window(110, 190, 4)]) is None
    assert energy_of(changes, [Window(90, 150, 4)]) is None
    assert energy_of([], [Window(0, 100, 1)]) is None
    assert energy_of(changes, []) is None


def test_errors_of_many_windows_partly_cancel() -> None:
    changes = [Change(at, at + 10, at) for at in range(0, 20_000, 100)]
    few, many = (energy_of(changes, [Window(1000 * k, 1000 * k + 900, 9) for k in range(count)]) for count in (5, 18))
    assert few is not None and many is not None
    assert many.precision < few.precision / 1.5


def test_the_period_is_the_median_between_changes() -> None:
    assert period_ns([]) == 0
    assert period_ns([Change(0, 10, 1)]) == 0
    assert period_ns([Change(at, at + 10, at) for at in (0, 100, 200, 900)]) == 100

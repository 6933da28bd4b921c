"""Repeating a piece of work until a counter has told its energy well enough."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.document.recorded_energy import RunEnergy
from tracer.recording.energy.joules import Window, energy_of, period_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracer.recording.energy.joules import Change
    from tracer.recording.energy.sampler import Sampler

# A figure is good if the truth is within this share of it.
PRECISION = 0.03
# Before that much of the same work a device's power and clocks have not settled, nor has what its counter says.
SETTLING_NS = 300_000_000
NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How long work is repeated: at least, and at most if it is not good enough by then, in nanoseconds."""

    least_ns: int = 2 * NS
    most_ns: int = 10 * NS


def repeated(stage: str, run: Callable[[], object], sampler: Sampler, patience: Patience) -> RunEnergy:
    """The energy of one run, each begun on an idle device.

    Args:
        stage: what it is called.
        run: makes one, and waits until the device has done it.
        sampler: reads the counter meanwhile.
        patience: how long it may take.
    """
    sampler.during(stage)
    start_ns = time.perf_counter_ns()
    ends = [start_ns]
    while True:
        run()
        ends.append(time.perf_counter_ns())
        spent_ns = ends[-1] - start_ns
        if spent_ns < patience.least_ns:
            continue
        window = _settled(ends)
        if spent_ns > patience.most_ns or _is_good(sampler.changes, [window] if window else [], 0) or sampler.error:
            return _run_energy(stage, sampler, [window] if window else [], 0, 1)


def _settled(ends: Sequence[int]) -> Window | None:
    """Whole runs, without those at both ends of the loop."""
    inside = [end for end in ends if ends[0] + SETTLING_NS <= end <= ends[-1] - SETTLING_NS]
    return Window(inside[0], inside[-1], len(inside) - 1, goes_on=True) if len(inside) > 1 else None


def parts_repeated(
    stage: str, run: Callable[[], Window | None], sampler: Sampler, patience: Patience, *, runs: int
) -> RunEnergy:
    """The energy of one run of a part of what is repeated.

    Args:
        stage: what the part is called.
        run: makes one of the whole, waits until the device has done it, and says when the part was.
        sampler, patience: as of `repeated`.
        runs: how many of the part a request has.
    """
    sampler.during(stage)
    start_ns = time.perf_counter_ns()
    windows: list[Window] = []
    while True:
        window = run()
        windows += [window] if window is not None and window.end_ns > window.start_ns else []
        spent_ns, lag_ns = time.perf_counter_ns() - start_ns, period_ns(sampler.changes)
        if spent_ns < patience.least_ns:
            continue
        if spent_ns > patience.most_ns or _is_good(sampler.changes, windows, lag_ns) or sampler.error:
            return _run_energy(stage, sampler, windows, lag_ns, runs)


def waited(sampler: Sampler, patience: Patience) -> int | None:
    """Milliwatts of a device that is given nothing to do; None if the counter does not tell."""
    sampler.during("idle")
    start_ns = time.perf_counter_ns() + SETTLING_NS
    time.sleep((SETTLING_NS + patience.least_ns) / NS)
    found = energy_of(list(sampler.changes), [Window(start_ns, time.perf_counter_ns(), 0)])
    return None if found is None else round(1e6 * found.total_uj / found.time_ns)


def _is_good(changes: Sequence[Change], windows: Sequence[Window], lag_ns: int) -> bool:
    found = energy_of(list(changes), windows, lag_ns=lag_ns)
    return found is not None and found.precision <= PRECISION


def _run_energy(stage: str, sampler: Sampler, windows: Sequence[Window], lag_ns: int, runs: int) -> RunEnergy:
    found = energy_of(list(sampler.changes), windows, lag_ns=lag_ns)
    repeats, time_ns = sum(window.runs for window in windows), sum(window.length_ns for window in windows)
    if found is None or sampler.error or not found.runs:
        return RunEnergy(
            stage=stage, run_uj=None, low_uj=None, high_uj=None, run_ns=time_ns // max(1, repeats), repeats=repeats,
            runs=runs, reason=sampler.error or "the counter changes too seldom for so short a piece of work",
        )  # fmt: skip
    return RunEnergy(
        stage=stage,
        run_uj=round(found.total_uj / found.runs),
        low_uj=max(0, int((found.total_uj - found.slack_uj) / found.runs)),
        high_uj=-int(-(found.total_uj + found.slack_uj) // found.runs),
        run_ns=found.time_ns // found.runs,
        repeats=found.runs,
        runs=runs,
    )

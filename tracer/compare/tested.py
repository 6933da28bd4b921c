"""Two runs request by request: differences, and whether they exceed the noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.compare import figures
from tracer.compare.rows import ERROR_RATE, Key, Tested, in_order, make_row
from tracer.statistics.permutation import align, differ
from tracer.statistics.robust import median

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import F64, I64, Bools
    from tracer.document.summary import RequestLatency

# Two recordings of the same run, minutes apart on a quiet GPU, differ by about so much.
LEAST_ALLOWANCE = 0.01
# Fewer requests have no halves worth comparing.
FEWEST_FOR_HALVES = 4


def tested_rows(
    before: Sequence[Sequence[RequestLatency]], after: Sequence[Sequence[RequestLatency]], tolerance: float | None
) -> Tested:
    """Differences between two runs, each tested; all together at `ERROR_RATE`.

    A permutation test knows the noise within the recordings, not what changed from one to the next: clocks, heat,
    the place of things in memory, other programs. So a difference counts only as far as it exceeds an allowance:
    the requests of the second run are first brought nearer to the baseline by it, and then tested. It is `tolerance`,
    or for each measure the largest of 1 % and what the second half of either recording differs from its first by:
    a run that does not agree with itself is not evidence against another.

    Where both runs had the same samples, requests are compared within samples.

    Where runs were recorded several times, each recording counts once, by its medians, and recordings are permuted:
    what changes from one to the next is then part of the noise, as long as the two runs took turns.

    Args:
        before, after: of each recording of the run, the requests in the order in which they were made.
        tolerance: as a share, such as 0.02.
    """
    taken = [_units(run) for run in (before, after)]
    several = max(len(before), len(after)) > 1
    everywhere = [set.intersection(*(set(one) for one in run)) for run in taken]
    known = [set().union(*run) for run in taken]
    keys = in_order(everywhere[0] & everywhere[1])
    second = np.arange(len(taken[0]) + len(taken[1])) >= len(taken[0])
    strata, shared = (np.zeros(len(second), dtype=np.int64), False) if several else _strata(before[0], after[0])
    # A stage may take less than the clock can tell.
    logs = np.log(np.maximum([[one[key] for key in keys] for run in taken for one in run], 1.0))
    apart = align(logs, strata)
    effects = np.array([_apart(column, second) for column in apart.T])
    least = LEAST_ALLOWANCE if several and tolerance is None else tolerance
    allowances = np.array([_allowance(column, second, least) for column in apart.T])
    nearer = np.copysign(np.minimum(np.abs(effects), np.log1p(allowances)), effects)
    outcome = differ(logs - np.outer(second, nearer), second, strata)
    rows = {
        key: make_row(
            key,
            *[float(median(np.array([one[key] for one in run]))) for run in taken],
            ratio=float(np.exp(effects[i])),
            allowance=float(allowances[i]),
            # What the allowance covers as a whole has nothing left to test.
            p=outcome.p[i] if abs(nearer[i]) < abs(effects[i]) else 1.0,
            testable=outcome.least_p <= ERROR_RATE,
        )
        for i, key in enumerate(keys)
    }
    for key in (known[0] | known[1]) - set(keys):
        sides = [[one[key] for one in run if key in one] for run in taken]
        rows[key] = make_row(key, *[float(median(np.array(side))) if side else None for side in sides])
    return Tested([rows[key] for key in in_order(rows)], outcome.permutations, shared, outcome.least_p)


def _units(run: Sequence[Sequence[RequestLatency]]) -> list[Mapping[Key, float]]:
    """The measures of each request; of several recordings, the medians of each."""
    taken = [[figures.all_measures(request) for request in recording] for recording in run]
    if len(taken) == 1:
        return taken[0]
    return [_medians(recording) for recording in taken if recording]


def _medians(measured: Sequence[Mapping[Key, float]]) -> dict[Key, float]:
    """The median of each measure that every request has."""
    keys = set(measured[0]).intersection(*measured)
    return {key: float(median(np.array([one[key] for one in measured]))) for key in keys}


def _strata(before: Sequence[RequestLatency], after: Sequence[RequestLatency]) -> tuple[I64, bool]:
    """Numbers [N] of the samples, if both runs had the same ones; else one stratum of all."""
    names = [[request.sample_name for request in run] for run in (before, after)]
    numbers = {name: number for number, name in enumerate(sorted(set(names[0])))}
    if set(names[1]) != set(numbers) or len(numbers) < 2:
        return np.zeros(len(before) + len(after), dtype=np.int64), False
    return int64([numbers[name] for run in names for name in run]), True


def _apart(column: F64, second: Bools) -> float:
    return float(median(column[second]) - median(column[~second]))


def _allowance(column: F64, second: Bools, tolerance: float | None) -> float:
    """The tolerance, or what a measure's own halves differ by, as a share."""
    if tolerance is not None:
        return tolerance
    drifts = [
        abs(median(run[-(len(run) // 2) :]) - median(run[: len(run) // 2]))
        for run in (column[~second], column[second])
        if len(run) >= FEWEST_FOR_HALVES
    ]
    return max(LEAST_ALLOWANCE, float(np.expm1(max(drifts, default=0.0))))

"""Two runs request by request: differences, and whether they exceed the noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.compare import figures
from tracer.compare.alike import BY_LENGTH, same_lengths
from tracer.compare.rows import Key, Tested, in_order, make_row
from tracer.compare.verdicts import ERROR_RATE, UNTESTED, Evidence, judge
from tracer.statistics.permutation import align, differ
from tracer.statistics.robust import median
from tracer.statistics.shift import shift_intervals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import F64, I64, Bools
    from tracer.document.summary import RequestLatency

# Two recordings of the same run, minutes apart on a quiet GPU, differ by about so much.
LEAST_ALLOWANCE = 0.01
# Fewer requests have no halves worth comparing.
FEWEST_FOR_HALVES = 4


def tested_rows(
    before: Sequence[Sequence[RequestLatency]],
    after: Sequence[Sequence[RequestLatency]],
    tolerance: float | None,
    *,
    blocks: Sequence[int] | None = None,
    unknown_drift: bool = False,
) -> Tested:
    """Differences between two runs, each tested; all together at `ERROR_RATE`.

    A permutation test knows the noise within the recordings, not what changed from one to the next: clocks, heat,
    the place of things in memory, other programs. So a difference counts only as far as it exceeds an allowance:
    the requests of the second run are first brought nearer to the baseline by it, and then tested. It is `tolerance`,
    or 1 %; or, if that is more, what the second half of either recording differs from its first by: where there is a
    tolerance, only if a test of the halves says that they differ. A run that does not agree with itself is not evidence
    against another.

    Where both runs had the same samples, requests are compared within samples.

    Where runs were recorded several times, each recording counts once, by its medians, and recordings are permuted:
    what changes from one to the next is then part of the noise, as long as the two runs took turns. Where the order was
    drawn by lot in blocks, recordings are permuted as they may have been drawn, and nothing else is allowed for.

    Args:
        before, after: of each recording of the run, the requests in the order in which they were made.
        tolerance: as a share, such as 0.02.
        blocks: of each recording of the baseline, and then of the other, in which block it was drawn.
        unknown_drift: whether something may have changed between the runs that their recordings do not show, so that
            nothing is claimed, however small its p.
    """
    several = blocks is not None or max(len(before), len(after)) > 1
    taken = [_units(run, several=several) for run in (before, after)]
    second = np.arange(len(taken[0]) + len(taken[1])) >= len(taken[0])
    strata, shared = np.zeros(len(second), dtype=np.int64), False
    if blocks is not None:
        strata = int64(np.unique(int64(list(blocks)), return_inverse=True)[1])
    elif not several:
        strata, shared = _strata(before[0], after[0])
    asked = [[request for recording in run for request in recording] for run in (before, after)]
    unlike = BY_LENGTH if not same_lengths(*asked) else frozenset()
    everywhere = [set.intersection(*(set(one) for one in run)) for run in taken]
    known = [set().union(*run) for run in taken]
    keys = in_order(key for key in everywhere[0] & everywhere[1] if key[1] or key[0] not in unlike)
    least = None if not several else LEAST_ALLOWANCE if blocks is None else 0.0
    tested = test_units(taken, keys, second, strata, least if tolerance is None else tolerance, halves=not several)
    rows = {}
    for key in known[0] | known[1]:
        sides = [[one[key] for one in run if key in one] for run in taken]
        middles = [float(median(np.array(side))) if side else None for side in sides]
        evidence = tested.evidence.get(key)
        if evidence is None:
            rows[key] = make_row(key, *middles, unlike=not key[1] and key[0] in unlike)
        else:
            verdict = judge(evidence, alone=unknown_drift)
            rows[key] = make_row(key, *middles, evidence=evidence, verdict=verdict if tested.testable else UNTESTED)
    return Tested([rows[key] for key in in_order(rows)], tested.permutations, shared, tested.least_p)


@dataclass(frozen=True, slots=True)
class Tests:
    """What the tests of all measures found."""

    evidence: dict[Key, Evidence]
    permutations: int
    least_p: float

    @property
    def testable(self) -> bool:
        """Whether so few requests can show anything."""
        return self.least_p <= ERROR_RATE


def test_units(
    taken: Sequence[Sequence[Mapping[Key, float]]],
    keys: Sequence[Key],
    second: Bools,
    strata: I64,
    tolerance: float | None,
    *,
    halves: bool = False,
) -> Tests:
    """Each measure that every unit of both runs has, on a logarithmic scale.

    Args:
        taken: of each run its units (requests, or recordings), each with its measures.
        keys: the measures to test; every unit has them.
        second: [N], whether a unit is of the second run, in the order of `taken`.
        strata: [N], numbered from 0 on; units are permuted within them.
        tolerance: as a share; by each measure's own drift if None.
        halves: whether the units of either run are of one recording, in their order, which may drift by more.
    """
    if not keys:
        return Tests({}, 0, 1.0)
    # A stage may take less than the clock can tell.
    logs = np.log(np.maximum([[one[key] for key in keys] for run in taken for one in run], 1.0))
    apart = align(logs, strata)
    effects = np.array([_apart(column, second) for column in apart.T])
    drifts = _drifts(apart, second, shown=tolerance is not None) if halves or tolerance is None else effects * 0
    least = LEAST_ALLOWANCE if tolerance is None else tolerance
    allowances = np.maximum(least, drifts)
    nearer = np.copysign(np.minimum(np.abs(effects), np.log1p(allowances)), effects)
    outcome = differ(logs - np.outer(second, nearer), second, strata)
    intervals = shift_intervals(logs, second, strata)
    evidence = {
        key: Evidence(
            ratio=float(np.exp(effects[i])),
            interval=_around(intervals[i], float(effects[i])),
            allowance=float(allowances[i]),
            # What the allowance covers as a whole has nothing left to test.
            p=outcome.p[i] if abs(nearer[i]) < abs(effects[i]) else 1.0,
            drifted=bool(drifts[i] > least),
        )
        for i, key in enumerate(keys)
    }
    return Tests(evidence, outcome.permutations, outcome.least_p)


def _around(interval: tuple[float, float] | None, effect: float) -> tuple[float, float] | None:
    """An interval of logarithms as one of ratios, wide enough for the difference of the medians that is shown."""
    if interval is None:
        return None
    return float(np.exp(min(interval[0], effect))), float(np.exp(max(interval[1], effect)))


def _units(run: Sequence[Sequence[RequestLatency]], *, several: bool) -> list[Mapping[Key, float]]:
    """The measures of each request; of several recordings, the medians of each."""
    if several:
        return [medians(recording) for recording in run if recording]
    return [figures.all_measures(request) for recording in run for request in recording]


def medians(recording: Sequence[RequestLatency]) -> dict[Key, float]:
    """The median of each measure that every request of a recording has."""
    return _medians([figures.all_measures(request) for request in recording])


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


def _drifts(values: F64, second: Bools, *, shown: bool) -> F64:
    """What the halves of either run differ by, as a share: the larger of both, for each measure.

    Args:
        values: [N, M], on a logarithmic scale, in the order in which they were measured.
        second: [N], whether a unit is of the second run.
        shown: whether it counts only where a test says that the halves differ.
    """
    found = np.zeros(values.shape[1])
    for run in (values[~second], values[second]):
        half = len(run) // 2
        if len(run) < FEWEST_FOR_HALVES:
            continue
        apart = np.abs(median(run[-half:]) - median(run[:half]))
        if shown:
            later = np.arange(len(run)) >= len(run) - half
            apart = apart * (np.array(differ(run, later, np.zeros(len(run), dtype=np.int64)).p) <= ERROR_RATE)
        found = np.maximum(found, np.expm1(apart))
    return found

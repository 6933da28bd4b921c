"""Whether runs of two sides differ: groups of runs that may be held against each other, tested together.

Runs of a group had the same model, input sizes, device and way of decoding, so that what differs between the sides is
what the sides are about. Within a group and the measures that the same runs have, a permutation test over runs adjusts
for all measures at once (step-down maxT, `tracer.statistics.permutation`); over several such families its p-values are
multiplied by their number (Bonferroni). So the chance that anything at all is called slower or faster while nothing is
stays below 5 %. Families with too few runs to reach that are not judged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.compare.tested import LEAST_ALLOWANCE, test_units
from tracer.compare.verdicts import ERROR_RATE, Evidence, judge
from tracer.document.summary import Abstained
from tracer.statistics.robust import median

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tracer.arrays import F64
    from tracer.fleet.sides import Side

Key = tuple[str, str]
# What two runs must have in common to be held against each other.
ALIKE = (
    "model", "size", "dtype", "decode", "gpu", "markers", "batch_size", "frames", "visual_tokens", "prompt_tokens",
    "new_tokens",
)  # fmt: skip
NAMELESS = "cannot be judged: their traces do not say which model ran, and runs of several models are not alike"
NAME_IT = "read them into a store with --tag model=NAME"


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its row of `runs`, and its measures by key, in nanoseconds."""

    row: Mapping[str, Any]
    measures: Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class Family:
    """Runs of both sides that are alike, and the measures that all of them have; runs are in machines, if those are
    known."""

    group: tuple[Any, ...]
    sides: tuple[list[Run], list[Run]]
    keys: list[Key]

    @property
    def name(self) -> str:
        """The group in words."""
        return named(self.group)

    def machines(self) -> list[int]:
        """Of each run, first side first, the number of its machine; all 0 where it is not known of each."""
        names = [run.row["machine"] for side in self.sides for run in side]
        if None in names:
            return [0] * len(names)
        numbers = {name: number for number, name in enumerate(sorted(set(names)))}
        return [numbers[name] for name in names]

    def least_p(self) -> float:
        """The smallest p that so many runs can give."""
        machines, first = self.machines(), len(self.sides[0])
        ways, even = 1, True
        for machine in set(machines):
            before, after = machines[:first].count(machine), machines[first:].count(machine)
            ways *= comb(before + after, after)
            even = even and before == after
        return min(1.0, (2 if even else 1) / ways)


@dataclass(frozen=True, slots=True)
class Judged:
    """A measure of a family with both sides' medians, and what may be said of it."""

    family: Family
    key: Key
    before_ns: float
    after_ns: float
    evidence: Evidence
    verdict: str


def named(group: tuple[Any, ...]) -> str:
    """A group in words: what of `ALIKE` is known of it."""
    said = dict(zip(ALIKE, group, strict=True))
    words = [str(said[name]) for name in ALIKE[:6] if said[name] not in (None, "none")]
    counts = [f"{name} {said[name]}" for name in ALIKE[6:] if said[name] is not None]
    return ", ".join([*words, *counts]) or "runs that say nothing of themselves"


def group_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a run has in common with those that it may be held against."""
    return tuple(row[name] for name in ALIKE)


def judge_families(families: Sequence[Family], what: str, *, of: int = 0) -> tuple[list[Judged], list[Abstained]]:
    """Test all that can be, and say of the rest why not.

    Args:
        families: to test.
        what: is asked of them, in words.
        of: out of how many they were chosen by their figures; all of those count as tested.
    """
    unnamed = sum(len(side) for family in families if family.group[0] is None for side in family.sides)
    testable, refused = _testable([family for family in families if family.group[0] is not None], of)
    tests = max(of, len(testable))
    judged = [one for family in testable for one in _judge(family, tests)]
    nameless = (
        [Abstained(what=f"{what} of runs without a model", reason=NAMELESS, next_step=NAME_IT)] if unnamed else []
    )
    return judged, [*[_too_few(family, what, max(of, len(testable) + 1)) for family in refused], *nameless]


def families_of(runs: Iterable[tuple[int, Run]]) -> list[Family]:
    """Families of runs with the number of their side.

    A measure that a run lacks, as where its work was not all recorded, is judged by the runs that have it.
    """
    groups: dict[tuple[Any, ...], tuple[list[Run], list[Run]]] = {}
    for side, run in runs:
        groups.setdefault(group_of(run.row), ([], []))[side].append(run)
    found = []
    for group, sides in sorted(groups.items(), key=lambda item: str(item[0])):
        having: dict[tuple[frozenset[int], ...], list[Key]] = {}
        for key in sorted({key for side in sides for run in side for key in run.measures}):
            who = tuple(frozenset(i for i, run in enumerate(side) if key in run.measures) for side in sides)
            having.setdefault(who, []).append(key)
        for who, keys in having.items():
            first, second = ([side[i] for i in sorted(members)] for side, members in zip(sides, who, strict=True))
            found.append(_on_shared_machines(Family(group, (first, second), keys)))
    return found


def _on_shared_machines(family: Family) -> Family:
    """Without runs on machines that only one side used, where machines are known: what differs may be the machine."""
    machines, first = family.machines(), len(family.sides[0])
    shared = set(machines[:first]) & set(machines[first:])
    if len(set(machines)) == 1 or not shared:
        return family
    kept = (
        [run for run, machine in zip(family.sides[0], machines[:first], strict=True) if machine in shared],
        [run for run, machine in zip(family.sides[1], machines[first:], strict=True) if machine in shared],
    )
    return replace(family, sides=kept)


def _testable(families: Sequence[Family], of: int) -> tuple[list[Family], list[Family]]:
    """Those whose runs can show something once the p-values are multiplied by the number of families, and the rest.

    Only how many runs there are decides, so that no figure has a say in what is tested.
    """
    left = sorted(families, key=Family.least_p)
    refused: list[Family] = []
    while left and left[-1].least_p() * max(of, len(left)) > ERROR_RATE:
        refused.append(left.pop())
    return left, refused


def _judge(family: Family, families: int) -> list[Judged]:
    taken = [[run.measures for run in side] for side in family.sides]
    second = np.arange(len(taken[0]) + len(taken[1])) >= len(taken[0])
    strata = np.array(family.machines(), dtype=np.int64)
    tests = test_units(taken, family.keys, second, strata, LEAST_ALLOWANCE)
    judged = []
    for key in family.keys:
        evidence = replace(tests.evidence[key], p=min(1.0, tests.evidence[key].p * families))
        before, after = (float(median(_column(side, key))) for side in family.sides)
        judged.append(Judged(family, key, before, after, evidence, judge(evidence, alone=False)))
    return judged


def _column(side: Sequence[Run], key: Key) -> F64:
    return np.array([run.measures[key] for run in side], dtype=np.float64)


def _too_few(family: Family, what: str, families: int) -> Abstained:
    before, after = map(len, family.sides)
    each = next(n for n in range(1, 1000) if 2 / comb(2 * n, n) * families <= ERROR_RATE)
    measures = ", ".join(sorted({name for name, _ in family.keys})[:6])
    machines = family.machines()
    apart = before and after and not set(machines[:before]) & set(machines[before:])
    why = "the sides ran on different machines" if apart else f"{before} and {after} runs are too few"
    return Abstained(
        what=f"{what} of {family.name} ({measures})",
        reason=f"cannot be judged: {why}",
        next_step=f"record {each} or more on each side" + (", on the same machines" if apart else ""),
    )


def sided(rows: Iterable[Mapping[str, Any]], sides: Sequence[Side]) -> tuple[dict[str, int], list[Mapping[str, Any]]]:
    """Of rows of `runs`, the side of each run that is on one; and those that are on both."""
    of_run, both = {}, []
    for row in rows:
        held = [number for number, side in enumerate(sides) if side.holds(row)]
        if len(held) == 1:
            of_run[row["run"]] = held[0]
        elif held:
            both.append(row)
    return of_run, both

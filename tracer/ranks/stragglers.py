"""Ranks that the others wait for: in most runs of a stage, by a good part of what such a run takes, or by a small one
that its host loses at the same place of each.

Both are asked of the runs at once: so many must be late by that part that chance, which makes every other one so, would
have it no more than once in twenty (a sign test); of runs too few for any such answer, all.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, sqrt
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int64
from tracer.document.ranks import DEVICE, HOST, NETWORK, KernelExcess, Straggler
from tracer.ranks.late import CAUSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import I64
    from tracer.document.ranks import Cause
    from tracer.ranks.late import Lateness
    from tracer.ranks.matched import Matched
    from tracer.ranks.rank import RankTrace, Unit

# Hosts of a healthy run on two H100 drifted apart by up to 4 % of a pass, its median. They may by a third, run after
# run, if one host is slower for a whole recording: then it is late, and named.
NOTABLE = 0.05
# A host that loses much the same at one place of every run does something there that the others do not, however little.
# Of two healthy H100 one lost 1.7 % at a place in some runs and nothing in others.
SMALL, STEADY = 0.02, 0.5
# Of so many runs all by chance is rarer than once in twenty; of more the sum of binomials is a bell.
FEWEST_RUNS, MANY_RUNS, ONCE_IN, DEVIATIONS = 5, 400, 20, 1.645
# A place at which a host falls behind at one go: by three times what it does at most others, at few of them.
AT_ONCE, FEW = 3, 0.25
SHOWN_KERNELS = 3


@dataclass(frozen=True, slots=True)
class _Late:
    """What a rank is late by in each run of a stage, and where."""

    late_ns: I64
    place: int | None = None
    pace_ns: int = 0


def find_stragglers(
    traces: Mapping[int, RankTrace],
    groups: Sequence[tuple[Matched, Lateness]],
    takes_ns: Mapping[Unit, int],
    residual_ns: int,
) -> list[Straggler]:
    """Name the ranks that the others wait for, the latest first.

    Args:
        traces: by rank.
        groups: matched collectives, and who was late at them.
        takes_ns: what each run of a stage takes, over all ranks.
        residual_ns: of the clocks; nothing rests on less.
    """
    found = []
    matched = {unit for group, _ in groups for unit in group.units}
    for stage in dict.fromkeys(unit[0] for unit in takes_ns if unit in matched):
        of_stage = [unit for unit in takes_ns if unit[0] == stage and unit in matched]
        for rank in traces:
            for cause in CAUSES:
                late = _late(rank, cause, of_stage, groups, residual_ns)
                one = _named(rank, stage, cause, late, median([takes_ns[unit] for unit in of_stage]), residual_ns)
                if one is not None:
                    found.append(_with_kernels(one, traces) if cause == DEVICE else one)
    return sorted(found, key=lambda one: -one.late_ns)


def _named(rank: int, stage: str, cause: Cause, late: _Late, pass_ns: int, residual_ns: int) -> Straggler | None:
    middle = median(late.late_ns.tolist())
    notable = int(np.count_nonzero((late.late_ns > residual_ns) & (late.late_ns >= NOTABLE * pass_ns)))
    if not mostly(notable, len(late.late_ns)) and not _steadily(late, middle, pass_ns, residual_ns):
        return None
    beyond = late.late_ns > residual_ns
    return Straggler(
        rank=rank,
        stage=stage,
        cause=cause,
        late_ns=int(late.late_ns[beyond].sum()),
        passes=int(beyond.sum()),
        of_passes=len(beyond),
        pass_ns=middle,
        stage_pass_ns=pass_ns,
        place=late.place,
        pace_ns=late.pace_ns,
    )


def _steadily(late: _Late, middle_ns: int, pass_ns: int, residual_ns: int) -> bool:
    """Whether a host loses much the same at one place in most runs, of which there are enough to tell."""
    if late.place is None or len(late.late_ns) < FEWEST_RUNS or middle_ns < max(SMALL * pass_ns, residual_ns + 1):
        return False
    alike = np.abs(late.late_ns - middle_ns) <= STEADY * middle_ns
    return mostly(int(np.count_nonzero(alike)), len(late.late_ns))


def mostly(count: int, of: int) -> bool:
    """Whether so many of all are more than half beyond chance; of too few for an answer, whether they are all."""
    if of < FEWEST_RUNS:
        return of > 0 and count == of
    if of > MANY_RUNS:
        return count - of / 2 > DEVIATIONS * sqrt(of) / 2
    return ONCE_IN * sum(comb(of, most) for most in range(count, of + 1)) <= 1 << of


def median(values: Sequence[int]) -> int:
    """The lower middle one."""
    return sorted(values)[(len(values) - 1) // 2]


def _late(
    rank: int, cause: Cause, units: list[Unit], groups: Sequence[tuple[Matched, Lateness]], residual_ns: int
) -> _Late:
    """What a rank is late by for this reason, in each of these runs; of several groups added up."""
    total = np.zeros(len(units), dtype=np.int64)
    place, pace_ns = None, 0
    for group, late in groups:
        if rank not in group.ranks:
            continue
        row = group.ranks.index(rank)
        own = (late.last == row) & (late.cause == CAUSES.index(cause)) & (late.own_ns > residual_ns)
        felt = np.where(own, late.own_ns, 0)
        columns = _columns(group, units)
        if cause == NETWORK:
            worst = late.slower_ns.argmax(axis=0) == row
            felt = felt + np.where(worst & (late.slower_ns[row] > residual_ns), late.slower_ns[row], 0)
        sums = int64([felt[own_columns].sum() for own_columns in columns])
        if cause == HOST:
            # Without stages all of the trace is one run, in which no place means anything.
            told = any(unit[0] for unit in units)
            hosts = _of_host(late.behind_ns[row], columns, residual_ns, told=told)
            sums = np.minimum(sums, hosts.late_ns)
            place, pace_ns = hosts.place, hosts.pace_ns
        total += sums
    return _Late(total, place, pace_ns)


def _columns(group: Matched, units: list[Unit]) -> list[I64]:
    """Of each run its collectives."""
    found: dict[Unit, list[int]] = {unit: [] for unit in units}
    for column, unit in enumerate(group.units):
        if unit in found:
            found[unit].append(column)
    return [int64(columns) for columns in found.values()]


def _of_host(behind_ns: I64, columns: list[I64], residual_ns: int, *, told: bool) -> _Late:
    """What a host loses in each run: at one go where there is such a place, else altogether."""
    whole = np.maximum(int64([behind_ns[own].sum() for own in columns]), 0)
    most = max((len(own) for own in columns), default=0)
    alike = [own for own in columns if len(own) == most]
    if not told or most * FEW < 1 or len(alike) != len(columns):
        return _Late(whole)
    each = behind_ns[np.stack(alike)]
    usual = np.sort(each, axis=0)[(len(each) - 1) // 2]
    ordered = np.sort(usual)
    common, often = max(int(ordered[(most - 1) // 2]), 0), max(int(ordered[most * 3 // 4 - 1]), 0)
    places = np.flatnonzero(usual > max(AT_ONCE * often, residual_ns))
    if not len(places) or len(places) > most * FEW:
        return _Late(whole)
    at_once = np.maximum(each[:, places] - common, 0).sum(axis=1)
    pace_ns = max(int(each.sum() - at_once.sum()), 0)
    return _Late(int64(at_once), int(places[usual[places].argmax()]) + 1, pace_ns)


def _with_kernels(one: Straggler, traces: Mapping[int, RankTrace]) -> Straggler:
    """With the kernels that take more than on the others."""
    per_rank = {rank: _kernels(trace, one.stage) for rank, trace in traces.items()}
    own = per_rank.pop(one.rank)
    rows = []
    for name, (count, time_ns) in own.items():
        counts, times = zip(*[kernels.get(name, (0, 0)) for kernels in per_rank.values()], strict=True)
        rows.append(
            KernelExcess(name=name, count=count, others_count=median(counts), time_ns=time_ns, others_ns=median(times))
        )
    rows = [row for row in rows if row.time_ns > row.others_ns]
    rows.sort(key=lambda row: row.others_ns - row.time_ns)
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    return Straggler(**{**fields, "kernels": rows[:SHOWN_KERNELS]})


def _kernels(trace: RankTrace, stage: str) -> dict[str, tuple[int, int]]:
    """Count and time of each kernel of a stage, collectives left out."""
    of_stage = np.array([unit[0] == stage for unit in trace.units], dtype=np.bool_)
    rows = np.flatnonzero(of_stage[trace.unit] & (trace.kind < 0))
    found: dict[str, tuple[int, int]] = {}
    times = (trace.end_ns - trace.start_ns)[rows].tolist()
    for number, time_ns in zip(trace.name[rows].tolist(), times, strict=True):
        name = trace.strings[number]
        count, before = found.get(name, (0, 0))
        found[name] = (count + 1, before + time_ns)
    return found

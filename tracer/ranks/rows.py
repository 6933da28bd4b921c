"""Rows of the document: a stage on a rank, a run of a stage, a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import sum_by
from tracer.document.names import ALL_STAGES
from tracer.document.ranks import RankStage, RequestTime, Step, StepRank
from tracer.document.summary import LostOps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.ranks.clocks import Clocks
    from tracer.ranks.divided import Divided
    from tracer.ranks.late import Lateness
    from tracer.ranks.matched import Matched
    from tracer.ranks.rank import RankTrace, Unit

_ORDER = (*ALL_STAGES, "")


def late_of_units(groups: Sequence[tuple[Matched, Lateness]]) -> dict[Unit, dict[int, int]]:
    """Of each run of a stage, by how much each rank was the last to arrive, added up over its collectives."""
    found: dict[Unit, dict[int, int]] = {}
    for group, late in groups:
        for unit, row, late_ns in zip(group.units, late.last.tolist(), late.late_ns.tolist(), strict=True):
            ranks = found.setdefault(unit, {})
            ranks[group.ranks[row]] = ranks.get(group.ranks[row], 0) + late_ns
    return found


def stage_rows(
    trace: RankTrace, divided: Divided, late_ns: Mapping[Unit, Mapping[int, int]], rank: int
) -> list[RankStage]:
    """A row for each stage of a rank."""
    code = np.array([_ORDER.index(unit[0]) for unit in trace.units], dtype=np.int64)[trace.unit]
    time_ns, collective = trace.end_ns - trace.start_ns, trace.kind >= 0
    matched = divided.wait_ns >= 0

    def total(values: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[int]:
        return [int(one) for one in sum_by(code, values, len(_ORDER))]

    device, communicating = total(time_ns), total(np.where(collective, time_ns, 0))
    wait, transfer = total(np.where(matched, divided.wait_ns, 0)), total(np.where(matched, divided.transfer_ns, 0))
    exposed, told = total(divided.exposed_ns), total(np.where(matched, 1, 0))
    rows = []
    for place, stage in enumerate(_ORDER):
        runs = sum(unit[0] == stage for unit in trace.units)
        if lost := sum(count for unit, count in trace.lost.items() if trace.units[unit][0] == stage):
            rows.append(_unknown(stage, runs, lost))
            continue
        if not device[place]:
            continue
        # Of collectives of which none was matched nobody knows what of them was waiting, nor for whom.
        apart = communicating[place] > 0 and not told[place]
        rows.append(
            RankStage(
                stage=stage,
                runs=runs,
                device_time_ns=device[place],
                collective_ns=communicating[place],
                wait_ns=None if apart else wait[place],
                transfer_ns=None if apart else transfer[place],
                unmatched_ns=communicating[place] - wait[place] - transfer[place],
                exposed_ns=exposed[place],
                late_ns=None
                if apart
                else sum(ranks.get(rank, 0) for unit, ranks in late_ns.items() if unit[0] == stage),
            )
        )
    return rows


def _unknown(stage: str, runs: int, launches: int) -> RankStage:
    """A stage whose work was recorded in part."""
    names = ("device_time_ns", "collective_ns", "wait_ns", "transfer_ns", "unmatched_ns", "exposed_ns", "late_ns")
    return RankStage(stage=stage, runs=runs, lost=LostOps(launches=launches), **dict.fromkeys(names))


def spans_of_units(traces: Mapping[int, RankTrace], clocks: Clocks) -> dict[Unit, int]:
    """What each run of a stage takes: from the first op of any rank to the last of any that can be compared with it."""
    first: dict[tuple[int, Unit], int] = {}
    last: dict[tuple[int, Unit], int] = {}
    for rank, trace in traces.items():
        ahead_ns = clocks.offset_ns[rank]
        starts = np.full(len(trace.units), np.iinfo(np.int64).max)
        ends = np.full(len(trace.units), np.iinfo(np.int64).min)
        np.minimum.at(starts, trace.unit, trace.start_ns)
        np.maximum.at(ends, trace.unit, trace.end_ns)
        for unit, start, end in zip(trace.units, starts.tolist(), ends.tolist(), strict=True):
            if start < end:
                key = (clocks.first[rank], unit)
                first[key] = min(first.get(key, start - ahead_ns), start - ahead_ns)
                last[key] = max(last.get(key, end - ahead_ns), end - ahead_ns)
    found: dict[Unit, int] = {}
    for (_, unit), begin in first.items():
        found[unit] = max(found.get(unit, 0), last[_, unit] - begin)
    return found


def step_rows(
    groups: Sequence[Matched],
    parts: Mapping[Unit, list[StepRank]],
    late_ns: Mapping[Unit, Mapping[int, int]],
    residual_ns: int,
) -> list[Step]:
    """A row for each run of a stage that has a matched collective."""
    rows = []
    for unit in dict.fromkeys(unit for group in groups for unit in group.units):
        ranks, own = late_ns.get(unit, {}), parts.get(unit, [])
        worst = max(ranks, key=lambda rank: ranks[rank], default=None)
        known = worst is not None and ranks[worst] > residual_ns
        stage, index, request, _ = unit
        rows.append(
            Step(
                stage=stage,
                index=index,
                request=request,
                critical_rank=worst if known else None,
                late_ns=ranks[worst] if worst is not None and known else 0,
                wait_ns=sum(one.wait_ns for one in own),
                ranks=own,
            )
        )
    return rows


def parts_of_units(traces: Mapping[int, RankTrace], divided: Mapping[int, Divided]) -> dict[Unit, list[StepRank]]:
    """Of each run of a stage what the matched collectives of each rank were."""
    found: dict[Unit, list[StepRank]] = {}
    for rank, trace in traces.items():
        own = divided[rank]
        rows = np.flatnonzero(own.wait_ns >= 0)
        size = len(trace.units)
        wait_ns = sum_by(trace.unit[rows], own.wait_ns[rows], size).tolist()
        transfer_ns = sum_by(trace.unit[rows], own.transfer_ns[rows], size).tolist()
        for place in sorted(set(trace.unit[rows].tolist())):
            one = StepRank(rank=rank, wait_ns=wait_ns[place], transfer_ns=transfer_ns[place])
            found.setdefault(trace.units[place], []).append(one)
    return found


def request_rows(traces: Mapping[int, RankTrace], divided: Mapping[int, Divided], clocks: Clocks) -> list[RequestTime]:
    """A row for each request that the traces tell, and have whole; one for all where they tell none."""
    told = sorted({unit[2] for trace in traces.values() for unit in trace.units if unit[2] >= 0})
    lacking = {trace.units[place][2] for trace in traces.values() for place in trace.lost}
    rows = []
    for request in told or [-1]:
        if lacking & {request, -1} or (lacking and not told):
            continue  # what some rank's device did then is not known
        own = [_on_rank(trace, divided[rank], request if told else None) for rank, trace in traces.items()]
        times: dict[int, list[tuple[int, int]]] = {}
        for rank, one in zip(traces, own, strict=True):
            if one is not None:
                ahead_ns = clocks.offset_ns[rank]
                times.setdefault(clocks.first[rank], []).append((one[0] - ahead_ns, one[1] - ahead_ns))
        if times:
            time_ns = max(max(end for _, end in part) - min(start for start, _ in part) for part in times.values())
            without_ns = max(end - start - wait_ns for start, end, wait_ns in filter(None, own))
            rows.append(RequestTime(request=request, time_ns=time_ns, without_waiting_ns=max(without_ns, 0)))
    return rows


def _on_rank(trace: RankTrace, divided: Divided, request: int | None) -> tuple[int, int, int] | None:
    """First and last instant of a request on a rank's device (of all if None), and what it only waits in between."""
    of_units = np.array([request is None or unit[2] == request for unit in trace.units], dtype=np.bool_)
    rows = np.flatnonzero(of_units[trace.unit])
    if not len(rows):
        return None
    wait_ns = int(divided.exposed_wait_ns[rows].sum())
    return int(trace.start_ns[rows].min()), int(trace.end_ns[rows].max()), wait_ns

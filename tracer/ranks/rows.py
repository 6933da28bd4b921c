"""Rows of the document: a stage on a rank, a run of a stage, a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracer.charge.intervals import sum_by
from tracer.document.names import ALL_STAGES
from tracer.document.ranks import RankStage, RequestTime, Step

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
    exposed = total(divided.exposed_ns)
    rows = []
    for place, stage in enumerate(_ORDER):
        runs = sum(unit[0] == stage for unit in trace.units)
        if not device[place]:
            continue
        rows.append(
            RankStage(
                stage=stage,
                runs=runs,
                device_time_ns=device[place],
                collective_ns=communicating[place],
                wait_ns=wait[place],
                transfer_ns=transfer[place],
                unmatched_ns=communicating[place] - wait[place] - transfer[place],
                exposed_ns=exposed[place],
                late_ns=sum(ranks.get(rank, 0) for unit, ranks in late_ns.items() if unit[0] == stage),
            )
        )
    return rows


def spans_of_units(traces: Mapping[int, RankTrace], clocks: Clocks) -> dict[Unit, int]:
    """What each run of a stage takes: from the first op of any rank to the last of any."""
    first: dict[Unit, int] = {}
    last: dict[Unit, int] = {}
    for rank, trace in traces.items():
        if rank not in clocks.offset_ns:
            continue
        ahead_ns = clocks.offset_ns[rank]
        starts = np.full(len(trace.units), np.iinfo(np.int64).max)
        ends = np.full(len(trace.units), np.iinfo(np.int64).min)
        np.minimum.at(starts, trace.unit, trace.start_ns)
        np.maximum.at(ends, trace.unit, trace.end_ns)
        for unit, start, end in zip(trace.units, starts.tolist(), ends.tolist(), strict=True):
            if start < end:
                first[unit] = min(first.get(unit, start - ahead_ns), start - ahead_ns)
                last[unit] = max(last.get(unit, end - ahead_ns), end - ahead_ns)
    return {unit: last[unit] - first[unit] for unit in first}


def step_rows(
    groups: Sequence[Matched], waits_ns: Mapping[Unit, int], late_ns: Mapping[Unit, Mapping[int, int]], residual_ns: int
) -> list[Step]:
    """A row for each run of a stage that has a matched collective."""
    rows = []
    for unit in dict.fromkeys(unit for group in groups for unit in group.units):
        ranks = late_ns.get(unit, {})
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
                wait_ns=waits_ns.get(unit, 0),
            )
        )
    return rows


def request_rows(traces: Mapping[int, RankTrace], divided: Mapping[int, Divided], clocks: Clocks) -> list[RequestTime]:
    """A row for each request that the traces tell; one for all where they tell none."""
    told = sorted({unit[2] for trace in traces.values() for unit in trace.units if unit[2] >= 0})
    rows = []
    for request in told or [-1]:
        firsts, lasts, own = [], [], []
        for rank, trace in traces.items():
            if rank not in clocks.offset_ns:
                continue
            chosen = np.array([not told or unit[2] == request for unit in trace.units], dtype=np.bool_)[trace.unit]
            if not chosen.any():
                continue
            firsts.append(int(trace.start_ns[chosen].min()) - clocks.offset_ns[rank])
            lasts.append(int(trace.end_ns[chosen].max()) - clocks.offset_ns[rank])
            own.append(lasts[-1] - firsts[-1] - int(divided[rank].exposed_wait_ns[chosen].sum()))
        if own:
            rows.append(RequestTime(request=request, time_ns=max(lasts) - min(firsts), without_waiting_ns=max(*own, 0)))
    return rows

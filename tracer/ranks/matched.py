"""Collectives matched over ranks by process group, run of a stage, and order; what does not fit is not shifted over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tracer.arrays import int64
from tracer.document.summary import Abstained
from tracer.ranks.rank import NO_UNIT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tracer.arrays import I64
    from tracer.ranks.rank import RankTrace, Unit
    from tracer.trace.collectives import Collective

Group: TypeAlias = tuple[str, tuple[int, ...]]
Signature: TypeAlias = tuple[str, int, int, str]
# Point to point: two kernels that are not one collective.
_PAIRED = ("send", "recv")
_WHOLE = ("allreduce", "allgather", "reducescatter", "alltoall", "barrier", "devicereduce")
# Of runs of stages in which ranks differ, so many are said one by one.
SAID = 3
AGAIN = "record all ranks over the same steps, each from before its first collective of them"


@dataclass(slots=True)
class Matched:
    """The collectives of one group that were matched; matrices have a row a rank and a column a collective, in order.

    Attributes:
        name: the group's.
        ranks: the rows.
        whole: whether these are all of its members.
        by_name: whether kernels' names are all that tells of them, and that they are one group is but likely.
        units: of each column the run of a stage.
        kinds: of each column what it is.
        op: rows of each rank's ops.
        start_ns, end_ns, launch_ns: on one clock, once aligned.
    """

    name: str
    ranks: list[int]
    whole: bool
    by_name: bool
    units: list[Unit]
    kinds: list[Collective]
    op: I64
    start_ns: I64
    end_ns: I64
    launch_ns: I64


def everybody_waits(kind: Collective) -> bool:
    """Whether nobody can leave before everybody has come; of a broadcast only those who receive wait, for one."""
    return any(word in kind.name.lower().replace("_", "") for word in _WHOLE)


def without(group: Matched, units: Collection[Unit]) -> Matched:
    """The same without the collectives of these runs of stages."""
    kept = [column for column, unit in enumerate(group.units) if unit not in units]
    if len(kept) == len(group.units):
        return group
    return replace(
        group,
        units=[group.units[column] for column in kept],
        kinds=[group.kinds[column] for column in kept],
        **{name: getattr(group, name)[:, kept] for name in ("op", "start_ns", "end_ns", "launch_ns")},
    )


def match(traces: Mapping[int, RankTrace]) -> tuple[list[Matched], list[Abstained]]:
    """Match the collectives of ranks; and what could not be matched."""
    per_group: dict[Group, dict[int, dict[Unit, list[int]]]] = {}
    paired = 0
    for rank, trace in traces.items():
        members = [_group(kind, trace, sorted(traces)) for kind in trace.kinds]
        rows = np.flatnonzero(trace.kind >= 0)
        for row in rows[np.argsort(trace.start_ns[rows], kind="stable")].tolist():
            kind = trace.kinds[trace.kind[row]]
            if any(word in kind.name.lower() for word in _PAIRED):
                paired += 1
                continue
            units = per_group.setdefault(members[trace.kind[row]], {}).setdefault(rank, {})
            units.setdefault(trace.units[trace.unit[row]], []).append(row)
    found, said = [], []
    for group in sorted(per_group):
        one, problems = _of_group(group, per_group[group], traces)
        said += problems
        if one is not None:
            found.append(one)
    if paired:
        reason = f"{paired:,} kernels send or receive from one rank to another, which no order matches"
        said.append(Abstained(what="waiting in point-to-point transfers", reason=reason, next_step=""))
    return found, said


def _group(kind: Collective, trace: RankTrace, present: list[int]) -> Group:
    world = trace.distributed.world_size
    everybody = tuple(range(world)) if world else tuple(present)
    listed = kind.ranks or trace.distributed.groups.get(kind.group)
    return kind.group, listed or (everybody if kind.size in (0, len(everybody)) else ())


def _of_group(
    group: Group, per_rank: Mapping[int, Mapping[Unit, list[int]]], traces: Mapping[int, RankTrace]
) -> tuple[Matched | None, list[Abstained]]:
    """One group's collectives; of a group with one rank present there are none."""
    name, members = group
    ranks = sorted(rank for rank in (members or per_rank) if rank in traces)
    label = f"collectives of group {name!r}" if name else "collectives"
    if len(ranks) < 2:
        what = ", ".join(map(str, [rank for rank in members if rank not in traces]))
        if len(members) < 2:
            return None, []
        return None, [Abstained(what=label, reason=f"there is no trace of rank {what}", next_step="give all ranks")]
    order: dict[Unit, None] = {}
    for rank in ranks:
        order.update(dict.fromkeys(sorted(per_rank.get(rank, {}), key=lambda unit: unit == NO_UNIT)))
    columns: list[tuple[Unit, list[int]]] = []
    said = []
    for unit in order:
        rows = [per_rank.get(rank, {}).get(unit, []) for rank in ranks]
        good, problem = _agree(rows, [traces[rank] for rank in ranks], ranks)
        columns += [(unit, [own[place] for own in rows]) for place in range(good)]
        if problem is not None:
            said.append(Abstained(what=f"{label}{_place(unit)}", reason=problem, next_step=AGAIN))
    if len(said) > SAID:
        rest = f"{label} in {len(said) - SAID + 1:,} more runs of stages"
        said = [*said[: SAID - 1], Abstained(what=rest, reason="they differ as well", next_step=AGAIN)]
    if not columns:
        return None, said
    first = traces[ranks[0]]
    columns.sort(key=lambda column: first.start_ns[column[1][0]])
    op = int64([column for _, column in columns]).T
    own = [traces[rank] for rank in ranks]

    def of(column: str) -> I64:
        return int64([getattr(trace, column)[rows] for trace, rows in zip(own, op, strict=True)])

    return Matched(
        name=name,
        ranks=ranks,
        whole=len(ranks) >= max(len(members), *[first.kinds[first.kind[row]].size for row in op[0].tolist()]),
        by_name=all(not kind.group and kind.ranks is None and not kind.size for kind in first.kinds),
        units=[unit for unit, _ in columns],
        kinds=[first.kinds[first.kind[row]] for row in op[0].tolist()],
        op=op,
        start_ns=of("start_ns"),
        end_ns=of("end_ns"),
        launch_ns=of("launch_ns"),
    ), said


def _place(unit: Unit) -> str:
    if unit == NO_UNIT:
        return ""
    return f" in {unit[0]}#{unit[1]}" if unit[1] >= 0 else f" in {unit[0]}"


def _agree(rows: list[list[int]], traces: list[RankTrace], ranks: list[int]) -> tuple[int, str | None]:
    """How many of the first agree on every rank, and what is wrong with the rest."""
    counts = [len(own) for own in rows]
    if len(set(counts)) > 1:
        # Which one is missing nobody can tell: they may be alike.
        each = ", ".join(f"rank {rank} has {count:,}" for rank, count in zip(ranks, counts, strict=True))
        return 0, f"not as many on every rank: {each}"
    for place in range(counts[0]):
        kinds = [_signature(trace, own[place]) for trace, own in zip(traces, rows, strict=True)]
        if len(set(kinds)) > 1:
            other = next(i for i, kind in enumerate(kinds) if kind != kinds[0])
            there = f"rank {ranks[0]} runs {_said(kinds[0])} where rank {ranks[other]} runs {_said(kinds[other])}"
            return place, f"from number {place + 1} of {counts[0]} on they differ: {there}"
    return counts[0], None


def _signature(trace: RankTrace, row: int) -> Signature:
    kind = trace.kinds[trace.kind[row]]
    return kind.name, kind.sent, kind.received, kind.dtype


def _said(signature: Signature) -> str:
    name, sent, _, dtype = signature
    return f"{name} of {sent:,} {dtype}" if sent >= 0 else name

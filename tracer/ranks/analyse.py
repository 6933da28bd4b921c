"""Traces of the ranks of one run become a document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.ranks import Rank, Ranks
from tracer.document.summary import Abstained
from tracer.document.words import listed
from tracer.ranks.bandwidth import bandwidths
from tracer.ranks.clocks import align, of_several, refuse_impossible
from tracer.ranks.divided import divide
from tracer.ranks.files import read_ranks, world_of
from tracer.ranks.findings import find
from tracer.ranks.late import lateness
from tracer.ranks.matched import match, without
from tracer.ranks.once import counted_once
from tracer.ranks.rows import late_of_units, parts_of_units, request_rows, spans_of_units, stage_rows, step_rows
from tracer.ranks.stragglers import find_stragglers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tracer.choices import Choices
    from tracer.ranks.clocks import Clocks
    from tracer.ranks.divided import Divided
    from tracer.ranks.matched import Matched
    from tracer.ranks.rank import RankTrace, Unit


SEVERAL_GROUPS = "taken for those of one group of all ranks, they would end on a rank before they begin on another"
BY_TORCH = "give ranks of one run; torch.profiler says of NCCL's kernels which of several groups they are of"


def analyse(paths: Sequence[Path], choices: Choices) -> Ranks:
    """Read the traces of the ranks of one run, and say who waits for whom.

    Raises:
        InputError: a file is no trace of a rank, or they are not of one run.
    """
    return of_traces(read_ranks(paths, choices))


def of_traces(traces: dict[int, RankTrace]) -> Ranks:
    """The document on ranks that were read, by their number.

    Raises:
        InputError: they cannot be of one run.
    """
    groups, clocks, abstained = on_one_clock(traces)
    lost = {trace.units[place] for trace in traces.values() for place in trace.lost}
    groups = [without(group, lost) for group in groups if len({clocks.first[rank] for rank in group.ranks}) == 1]
    groups = [group for group in groups if group.units]
    divided = divide(traces, groups)
    residual_ns = clocks.worst_ns or 0
    late = counted_once([(group, lateness(group, traces, divided, clocks)) for group in groups], residual_ns)
    late_ns = late_of_units(late)
    takes_ns = {unit: span_ns for unit, span_ns in spans_of_units(traces, clocks).items() if unit not in lost}
    stragglers = find_stragglers(traces, late, takes_ns, residual_ns)
    rows = [_rank(rank, trace, divided[rank], late_ns, clocks) for rank, trace in traces.items()]
    world = world_of(traces)
    missing = [rank for rank in range(world) if rank not in traces]
    counts = [(int((trace.kind >= 0).sum()), int((divided[rank].wait_ns >= 0).sum())) for rank, trace in traces.items()]
    collectives, matched = next((count for count in counts if count[0]), (0, 0))
    return Ranks(
        world_size=world,
        missing=missing,
        ranks=rows,
        clock="unknown" if clocks.worst_ns is None else "shared" if clocks.shared else "estimated",
        clock_residual_ns=clocks.worst_ns,
        collectives=collectives,
        matched=matched,
        stragglers=stragglers,
        steps=step_rows(groups, parts_of_units(traces, divided), late_ns, residual_ns),
        requests=request_rows(traces, divided, clocks),
        bandwidth=bandwidths(groups, next(iter(traces.values())).device),
        findings=find(rows, stragglers, complete=not missing),
        abstained=[*_lost(traces), *_abstained(missing, collectives, traces, clocks), *abstained],
        warnings=[warning for trace in traces.values() for warning in trace.warnings],
    )


def on_one_clock(traces: dict[int, RankTrace]) -> tuple[list[Matched], Clocks, list[Abstained]]:
    """The collectives of ranks matched, their times on one clock, which that is, and what could not be matched.

    Raises:
        InputError: they cannot be of one run.
    """
    groups, abstained = match(traces)
    clocks = align(traces, groups)
    several = [group.name for group in groups if of_several(group, clocks)]
    if several:
        groups = [group for group in match(traces)[0] if not (group.by_name and group.name in several)]
        clocks = align(traces, groups)
        abstained.append(Abstained(what="collectives told by names alone", reason=SEVERAL_GROUPS, next_step=BY_TORCH))
    refuse_impossible(traces, groups)
    return groups, clocks, abstained


def _rank(
    rank: int, trace: RankTrace, divided: Divided, late_ns: Mapping[Unit, Mapping[int, int]], clocks: Clocks
) -> Rank:
    return Rank(
        rank=rank,
        path=trace.path,
        device=trace.device,
        clock_offset_ns=clocks.offset_ns[rank] if clocks.first[rank] == min(clocks.first) else None,
        clock_residual_ns=clocks.residual_ns.get(rank),
        stages=stage_rows(trace, divided, late_ns, rank),
    )


def _lost(traces: Mapping[int, RankTrace]) -> Iterator[Abstained]:
    """What of ranks was launched and not recorded: nobody is held against them there."""
    for rank, trace in traces.items():
        if trace.unrecorded is not None:
            stages = dict.fromkeys(trace.units[place][0] or "work outside stages" for place in trace.lost)
            what = f"device time of {listed(list(stages))} on rank {rank}, and who waits where that was not recorded"
            yield Abstained(what=what, reason=trace.unrecorded.reason, next_step=trace.unrecorded.next_step)


def _abstained(
    missing: list[int], collectives: int, traces: Mapping[int, RankTrace], clocks: Clocks
) -> list[Abstained]:
    said = []
    if missing:
        which = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        reason = f"no trace of rank {which}: waiting for it counts as transfer, and no bandwidth is said of its groups"
        said.append(Abstained(what="waiting for ranks that are missing", reason=reason, next_step="give all ranks"))
    if not collectives:
        reason = "no kernel of these traces is a collective that tracer knows"
        said.append(Abstained(what="waiting and transfer", reason=reason, next_step="record NCCL's or RCCL's kernels"))
    apart = [rank for rank in traces if clocks.first[rank] != min(traces)]
    if collectives and apart:
        reason = (
            f"no collective joins rank {', '.join(map(str, apart))} to rank {min(traces)}; each part is answered alone"
        )
        said.append(Abstained(what="how times of all ranks lie to each other", reason=reason, next_step=""))
    return said

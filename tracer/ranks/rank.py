"""One rank's trace, as far as the ranks are laid beside each other: its work, its collectives, its runs of stages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of_ops
from tracer.document.errors import InputError
from tracer.document.names import ALL_STAGES
from tracer.kernels.categories import categorise, own_name
from tracer.measure import needs
from tracer.trace.api import synchronises
from tracer.trace.collectives import Collective, Distributed
from tracer.trace.columns import NO_CORRELATION, Want
from tracer.trace.folder import merged_rank, named_rank
from tracer.trace.reader import read_source
from tracer.trace.source import Source

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.choices import Choices
    from tracer.trace.columns import Trace

# A run of a stage: stage ("" outside all), token index, request, and which of those that are alike in all that.
Unit: TypeAlias = tuple[str, int, int, int]
NO_UNIT: Unit = ("", -1, -1, 0)
UNKNOWN = -(1 << 62)
# The times of two ranks must have a difference in 64 bits; this is the year 2043.
FARTHEST_NS = 1 << 61


@dataclass(slots=True)
class RankTrace:
    """What of a rank's trace is compared; times in nanoseconds on its host's clock.

    Attributes:
        path: of its file.
        rank: its number; None where nothing says it.
        distributed: what the file says of the run.
        device, device_id: its device.
        warnings: of the reader.
        units: its runs of stages; the last is `NO_UNIT`.
        start_ns, end_ns, unit, name: of each device op, `unit` an index into units, `name` one into strings.
        kind: of each op, which collective it is, an index into kinds; -1 of all others.
        launch_ns: when it was launched; UNKNOWN without a record.
        synced_ns: when its host had waited for the device, in order.
        kinds: of collectives.
        strings: names.
        format: "chrome" or "nsight".
        odd_ids: correlations below 1 that join something, where others mean that there is none.
        is_part: whether it is a part that was cut out of another.
        torn: whether it ends before its end.
        alone: whether no other rank is in its file.
    """

    path: str
    rank: int | None
    distributed: Distributed
    device: str
    device_id: int
    warnings: list[str]
    units: list[Unit]
    start_ns: I64
    end_ns: I64
    unit: I64
    name: I64
    kind: I64
    launch_ns: I64
    synced_ns: I64
    kinds: list[Collective]
    strings: list[str]
    format: str = "chrome"
    odd_ids: frozenset[int] = frozenset()
    is_part: bool = False
    torn: bool = False
    alone: bool = True


def read_ranks_of(path: Path, choices: Choices) -> list[RankTrace]:
    """Read one rank's trace; of a file that holds several ranks, each a process with a device of its own, all of them.

    Raises:
        InputError: it is no trace, has no device work, or one process worked on several devices.
    """
    with Source(path, choices.limits) as source:
        want = needs.at_first(choices) | Want.COLLECTIVES
        trace = read_source(source, want, jobs=choices.jobs, strict=choices.strict, nsys=choices.nsys)
        while (more := needs.after_all(trace, choices)) & ~(want | trace.had):
            want |= more
            trace = read_source(source, want, jobs=choices.jobs, strict=choices.strict, nsys=choices.nsys)
    if trace.unread is not None:
        raise InputError(f"{path}: {trace.unread.reason}; {trace.unread.next_step}")
    if not len(trace.ops):
        raise InputError(
            f"{path}: it has no device work; ranks are compared by what their devices ran (a CPU's collectives are "
            "operators of the host: tracer summarize --by op has their time)"
        )
    ranges = find_stages(trace, choices.patterns)
    work = work_of_ops(trace, ranges, any_thread=choices.any_thread)
    first, *others = (_laid_out(path, trace, ranges, work, member) for member in _members(path, trace, work))
    return [first, *(replace(other, warnings=[]) for other in others)]  # a file's warnings are said once


@dataclass(frozen=True, slots=True)
class _Member:
    """A rank in a file.

    Attributes:
        device: on which it ran.
        process: its host's; None where it has the file for itself.
        rank: by its place among several.
    """

    device: int
    process: str | None = None
    rank: int | None = None


def _members(path: Path, trace: Trace, work: Work) -> list[_Member]:
    """The ranks in a file.

    Raises:
        InputError: it has several devices and they are not of as many processes.
    """
    devices = distinct(work.device)
    if len(devices) == 1:
        return [_Member(devices[0])]
    processes = [_process(trace, work, device) for device in devices]
    if None in processes or len(set(processes)) < len(devices):
        raise InputError(
            f"{path}: it has work on {len(devices)} devices; give a trace for each rank, with one device in it"
        )
    said = [merged_rank(process) for process in processes if process is not None]
    ranks = [place if rank is None else rank for place, rank in enumerate(said)]
    return [_Member(*one) for one in zip(devices, processes, ranks, strict=True)]


def _process(trace: Trace, work: Work, device: int) -> str | None:
    """The process that launched all of a device's work that has a launch; None of several, or of none."""
    rows = (work.device == device) & (work.call >= 0)
    found = {trace.threads[thread][0] for thread in distinct(work.call_thread[rows])}
    return found.pop() if len(found) == 1 else None


def _laid_out(path: Path, trace: Trace, ranges: StageRanges, work: Work, member: _Member) -> RankTrace:
    distributed = trace.distributed or Distributed()
    farthest_ns = max(abs(int(trace.ops.start_ns.min())), abs(int(trace.ops.end_ns.max())))
    if farthest_ns + distributed.base_ns > FARTHEST_NS:
        raise InputError(f"{path}: its times lie too far from those of any other trace; one is damaged")
    rank = distributed.rank if distributed.rank is not None else named_rank(path)
    kind, kinds = _kinds(trace)
    rows = np.flatnonzero(work.device == member.device)
    held = _of_process(trace, int64(ranges.thread), member.process)
    place = np.append(np.where(held, np.cumsum(held) - 1, held.sum()), held.sum())
    launch_ns = np.where(work.call >= 0, work.call_start_ns + distributed.base_ns, UNKNOWN)
    return RankTrace(
        path=str(path),
        rank=rank if member.rank is None else member.rank,
        distributed=distributed,
        device=next((one.name for one in trace.devices if one.id == member.device), ""),
        device_id=member.device,
        warnings=[f"{path.name}: {warning}" for warning in trace.warnings],
        units=_units(ranges, held),
        start_ns=work.start_ns[rows] + distributed.base_ns,
        end_ns=work.end_ns[rows] + distributed.base_ns,
        unit=int64(place[np.where(work.stage >= 0, work.stage, len(ranges))][rows]),
        name=int64(work.name)[rows],
        kind=kind[rows],
        launch_ns=int64(launch_ns)[rows],
        synced_ns=_synced(trace, member.process) + distributed.base_ns,
        kinds=kinds,
        strings=trace.strings,
        format=trace.format,
        odd_ids=_odd_ids(trace),
        is_part=trace.part is not None,
        torn=trace.torn,
        alone=member.rank is None,
    )


def _of_process(trace: Trace, thread: I64, process: str | None) -> Bools:
    """Which rows are of a process's threads; all of them if None."""
    own = np.array([process is None or one == process for one, _ in trace.threads], dtype=np.bool_)
    return np.asarray(own[thread], dtype=np.bool_)


def _odd_ids(trace: Trace) -> frozenset[int]:
    found = trace.ops.correlation
    return frozenset(found[(found < 1) & (found != NO_CORRELATION)].tolist())


def _synced(trace: Trace, process: str | None) -> I64:
    waits = np.array([synchronises(name) for name in trace.strings], dtype=np.bool_)
    own = _of_process(trace, int64(trace.calls.thread), process)
    return int64(np.sort(trace.calls.end_ns[waits[trace.calls.name] & own]))


def _units(ranges: StageRanges, held: Bools) -> list[Unit]:
    """The runs of stages among these ranges."""
    seen: dict[tuple[str, int, int], int] = {}
    units = []
    columns = (column[held].tolist() for column in (ranges.stage, ranges.index, ranges.request))
    for code, index, request in zip(*columns, strict=True):
        one = (ALL_STAGES[code], index, request)
        seen[one] = seen.get(one, -1) + 1
        units.append((*one, seen[one]))
    return [*units, NO_UNIT]


def _kinds(trace: Trace) -> tuple[I64, list[Collective]]:
    """Of each op which collective it is: by its arguments, else by its name."""
    said = trace.collectives
    kinds = list(said.kinds) if said is not None else []
    kind = said.of_op.copy() if said is not None else np.full(len(trace.ops), -1, dtype=np.int64)
    by_name = np.full(len(trace.strings), -1, dtype=np.int64)
    for name in set(trace.ops.name[kind < 0].tolist()):
        if categorise(trace.strings[name]) == "collective":
            by_name[name] = len(kinds)
            kinds.append(Collective(name=own_name(trace.strings[name])))
    return int64(np.where(kind >= 0, kind, by_name[trace.ops.name])), kinds

"""One rank's trace, as far as the ranks are laid beside each other: its work, its collectives, its runs of stages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import distinct
from tracer.charge.lost import find_lost
from tracer.charge.stages.find import find_stages
from tracer.charge.work import NO_DEVICE, work_of_ops
from tracer.document.errors import InputError
from tracer.document.names import ALL_STAGES
from tracer.document.ranks import CPU
from tracer.document.words import counted
from tracer.kernels.categories import categorise, own_name
from tracer.measure import needs
from tracer.measure.lost import describe, without_activity
from tracer.measure.unseen import unseen_device
from tracer.ranks import processor
from tracer.trace.api import synchronises
from tracer.trace.collectives import Collective, Distributed
from tracer.trace.columns import NO_CORRELATION, Want
from tracer.trace.folder import merged_rank, named_rank
from tracer.trace.reader import read_source
from tracer.trace.source import Source

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.charge.lost import LostWork
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.choices import Choices
    from tracer.document.summary import Lost
    from tracer.trace.columns import DeviceOps, Spans, Trace

# A run of a stage: stage ("" outside all), token index, request, and which of those that are alike in all that.
Unit: TypeAlias = tuple[str, int, int, int]
NO_UNIT: Unit = ("", -1, -1, 0)
UNKNOWN = -(1 << 62)
# The columns with a row an op.
OF_OPS = ("start_ns", "end_ns", "unit", "name", "kind", "launch_ns")
# The times of two ranks must have a difference in 64 bits; this is the year 2043.
FARTHEST_NS = 1 << 61


@dataclass(slots=True)
class RankTrace:
    """What of a rank's trace is compared; times in nanoseconds on its host's clock.

    Attributes:
        path: of its file.
        rank: its number; None where nothing says it.
        distributed: what the file says of the run.
        device, device_id: its device; without one `CPU`, and no number.
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
        lost: of units, by their places, how many launches have no device op, or a part of theirs; those that have none
            are absent.
        unrecorded: what of its file was launched and not recorded, in words.
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
    lost: dict[int, int] = field(default_factory=dict)
    unrecorded: Lost | None = None


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
    ranges = find_stages(trace, choices.patterns)
    if not len(trace.ops):
        first, *others = _on_processor(path, trace, ranges)
    else:
        work = work_of_ops(trace, ranges, any_thread=choices.any_thread)
        lost = find_lost(trace, ranges, work, any_thread=choices.any_thread)
        members = _members(path, trace, work)
        first, *others = (_laid_out(path, trace, ranges, work, lost, member) for member in members)
    return [first, *(replace(other, warnings=[]) for other in others)]  # a file's warnings are said once


def _on_processor(path: Path, trace: Trace, ranges: StageRanges) -> list[RankTrace]:
    """The ranks in a file without device work: processes that had gloo's collectives.

    Raises:
        InputError: there is none, or nothing tells which ranks took part in a collective, or what they did else.
    """
    processes = processor.processes_of(trace)
    if not processes:
        if (unseen := unseen_device(trace)) is not None:
            raise InputError(f"{path}: {unseen}; {without_activity(trace)}")
        raise InputError(
            f"{path}: it has no device work and no collective of gloo's; ranks are compared by what their devices ran, "
            "or by a CPU's operators between the collectives of gloo"
        )
    if not len(trace.cpu_ops):
        raise InputError(
            f"{path}: it has collectives of gloo's and no operators, so that nothing tells what a rank did between "
            "them; record these too (ProfilerActivity.CPU)"
        )
    if trace.distributed is not None and processor.groups_differ(trace.distributed):
        raise InputError(
            f"{path}: its run has groups of different ranks, and gloo's ranges do not say which one a collective was "
            "of; record a run with one group"
        )
    return [
        _laid_out_processor(path, trace, ranges, process, None if len(processes) == 1 else place)
        for place, process in enumerate(processes)
    ]


def _laid_out_processor(path: Path, trace: Trace, ranges: StageRanges, process: str, place: int | None) -> RankTrace:
    """A process of a CPU; of several in a file with its place among them."""
    base_ns = _base_ns(path, trace, trace.cpu_ops)
    done = processor.processed(trace, ranges, process)
    merged = merged_rank(process) if place is not None else None
    unit, held = _unit_of_range(trace, ranges, None if place is None else process)
    return _rank_trace(
        path,
        trace,
        rank=_number(path, trace) if place is None else place if merged is None else merged,
        alone=place is None,
        device=CPU,
        device_id=NO_DEVICE,
        units=_units(ranges, held),
        start_ns=done.start_ns + base_ns,
        end_ns=done.end_ns + base_ns,
        unit=unit[done.stage],
        name=done.name,
        kind=done.kind,
        launch_ns=int64(np.where(done.asked, done.asked_ns + base_ns, UNKNOWN)),
        # Whoever asks for the next collective when the one before is over has waited for it.
        synced_ns=int64(np.sort(done.end_ns[done.kind >= 0])) + base_ns,
        kinds=done.kinds,
    )


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


def _laid_out(path: Path, trace: Trace, ranges: StageRanges, work: Work, lost: LostWork, member: _Member) -> RankTrace:
    base_ns = _base_ns(path, trace, trace.ops)
    kind, kinds = _kinds(trace)
    rows = np.flatnonzero(work.device == member.device)
    unit, held = _unit_of_range(trace, ranges, member.process)
    launch_ns = np.where(work.call >= 0, work.call_start_ns + base_ns, UNKNOWN)
    lacking = lost.stage[_of_process(trace, int64(trace.calls.thread[lost.calls]), member.process)]
    return _rank_trace(
        path,
        trace,
        rank=_number(path, trace) if member.rank is None else member.rank,
        alone=member.rank is None,
        device=next((one.name for one in trace.devices if one.id == member.device), ""),
        device_id=member.device,
        units=_units(ranges, held),
        start_ns=work.start_ns[rows] + base_ns,
        end_ns=work.end_ns[rows] + base_ns,
        unit=unit[work.stage[rows]],
        name=int64(work.name)[rows],
        kind=kind[rows],
        launch_ns=int64(launch_ns)[rows],
        synced_ns=_synced(trace, member.process) + base_ns,
        kinds=kinds,
        lost=dict(Counter(unit[lacking].tolist())),
        unrecorded=describe(trace, ranges, lost) if len(lacking) else None,
    )


def _rank_trace(path: Path, trace: Trace, **own: Any) -> RankTrace:
    """A rank with what is the file's, each collective once: some tools write an event twice."""
    order = np.lexsort((own["kind"], own["end_ns"], own["start_ns"]))
    alike = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for column in ("start_ns", "end_ns", "kind", "launch_ns"):
        alike &= np.diff(own[column][order]) == 0
    again = order[1:][alike & (own["kind"][order[1:]] >= 0)]
    if len(again):
        kept = np.ones(len(order), dtype=np.bool_)
        kept[again] = False
        own |= {name: own[name][kept] for name in OF_OPS}
    said = [f"{counted(len(again), 'collective')} stand in it twice and count once"] if len(again) else []
    return RankTrace(
        path=str(path),
        distributed=trace.distributed or Distributed(),
        warnings=[f"{path.name}: {warning}" for warning in [*trace.warnings, *said]],
        strings=trace.strings,
        format=trace.format,
        odd_ids=_odd_ids(trace),
        is_part=trace.part is not None,
        torn=trace.torn,
        **own,
    )


def _number(path: Path, trace: Trace) -> int | None:
    """The rank of a file's only process, as the file says it or its name."""
    said = trace.distributed.rank if trace.distributed is not None else None
    return said if said is not None else named_rank(path)


def _base_ns(path: Path, trace: Trace, timed: DeviceOps | Spans) -> int:
    """What the file's times count from.

    Raises:
        InputError: they are damaged.
    """
    base_ns = trace.distributed.base_ns if trace.distributed is not None else 0
    if max(abs(int(timed.start_ns.min())), abs(int(timed.end_ns.max()))) + base_ns > FARTHEST_NS:
        raise InputError(f"{path}: its times lie too far from those of any other trace; one is damaged")
    return base_ns


def _unit_of_range(trace: Trace, ranges: StageRanges, process: str | None) -> tuple[I64, Bools]:
    """Of each stage range its unit among those of a process, the last for none; and which ranges are of it."""
    held = _of_process(trace, int64(ranges.thread), process)
    return int64(np.append(np.where(held, np.cumsum(held) - 1, held.sum()), held.sum())), held


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

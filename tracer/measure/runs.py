"""The runs of the stages, one by one.

A run is what a request spends in one stage: mostly one stage range with the work that was asked for inside it; where
code opens a stage several times in a request, all of these together. Whatever is said of "a run", of shares or of busy
time is to be made of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int32, int64, is_ascending
from tracer.charge.intervals import distinct
from tracer.charge.spans import self_times
from tracer.charge.work import NO_DEVICE
from tracer.document.names import ALL_STAGES
from tracer.measure.samples import sample_of
from tracer.measure.together import devices_of_a_run, groups, together
from tracer.trace.columns import OpKind, Want

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.arrays import I32, I64, Bools
    from tracer.charge.lost import LostWork
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.document.manifest import Manifest

NEEDS = Want.SUMMARY


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One range of a stage; a run of it, or a part of one.

    Attributes:
        stage: its name.
        index: of a decode step the token; -1 without one.
        request: the request that it is part of; -1 where the trace does not say.
        sample: what that request was given, index into the manifest's samples; -1 where nothing tells.
        devices: those that it used, in order; none on a CPU, or if it asked for nothing.
        start_ns, end_ns: its first instant and its last: of its work, or of its range where it asked for none.
        busy_ns, idle_ns: charged to its work, summed over devices.
        rows: its work, in the order of the trace.
    """

    stage: str
    index: int
    request: int
    sample: int
    devices: tuple[int, ...]
    start_ns: int
    end_ns: int
    busy_ns: int
    idle_ns: int
    rows: I64

    @property
    def wall_ns(self) -> int:
        """From its first instant to its last."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """All runs, as columns: one row for each stage range, in their order.

    Attributes:
        ranges, work: what they are made of.
        number: of the run that each is a part of; the same for ranges of one stage (one decode step) in one request.
        sample: of each, index into the manifest's samples; -1 where nothing tells.
        ops: pieces of work.
        time_ns, busy_ns, host_ns, sync_ns, launch_ns, unknown_ns: of these, added up over devices.
        together_busy_ns, together_idle_ns: time that passed while any of its devices worked, and while all of them
            waited; of models that take turns on devices of their own, while those of all waited. See
            `tracer.measure.together`.
        start_ns, end_ns: first instant and last of its work, or of its range where it asked for none.
        order, begin: the work sorted by run, and where each run's begins in it.
        lost: launch calls of each that have no device op; what its device did is unknown where there are any.
        in_gap: whether work that was not recorded may have run in a gap that its work ended.
        unrecorded: whether the trace holds no work at all, nor launches of any: what ran is unknown of all of them.
    """

    ranges: StageRanges
    work: Work
    number: I64
    sample: I64
    ops: I64
    time_ns: I64
    busy_ns: I64
    host_ns: I64
    sync_ns: I64
    launch_ns: I64
    unknown_ns: I64
    together_busy_ns: I64
    together_idle_ns: I64
    start_ns: I64
    end_ns: I64
    order: I32
    begin: I64
    lost: I64
    in_gap: Bools
    unrecorded: bool = False

    def __len__(self) -> int:
        return len(self.ranges)

    def __getitem__(self, place: int) -> Run:
        rows = self.order[self.begin[place] : self.begin[place + 1]]
        return Run(
            stage=ALL_STAGES[self.ranges.stage[place]],
            index=int(self.ranges.index[place]),
            request=int(self.ranges.request[place]),
            sample=int(self.sample[place]),
            devices=tuple(device for device in distinct(self.work.device[rows]) if device != NO_DEVICE),
            start_ns=int(self.start_ns[place]),
            end_ns=int(self.end_ns[place]),
            busy_ns=int(self.busy_ns[place]),
            idle_ns=int(self.idle_ns[place]),
            rows=int64(rows),
        )

    def __iter__(self) -> Iterator[Run]:
        return (self[place] for place in range(len(self)))

    @property
    def idle_ns(self) -> I64:
        """The gaps that their work ended."""
        return int64(self.host_ns + self.sync_ns + self.launch_ns + self.unknown_ns)

    def of(self, stage: str) -> I64:
        """The runs of a stage, as rows of these columns."""
        return int64(np.flatnonzero(self.ranges.stage == ALL_STAGES.index(stage)))

    def stages(self) -> list[str]:
        """Those that occur, in the order of a request."""
        return [ALL_STAGES[code] for code in distinct(self.ranges.stage)]

    def rows(self, own: I64) -> I64:
        """The work of these runs, run by run."""
        pieces = [self.order[self.begin[place] : self.begin[place + 1]] for place in own.tolist()]
        return np.concatenate([self.order[:0], *pieces])

    def recorded(self, own: I64) -> I64:
        """Those of these runs whose work was recorded, all of it."""
        if self.unrecorded:
            return own[:0]
        if not self.lost[own].any():
            return own
        return own[~np.isin(self.number[own], self.number[own[self.lost[own] > 0]])]

    def whole(self, own: I64) -> I64:
        """Those of them of which the idle time is known, too."""
        own = self.recorded(own)
        if not self.in_gap[own].any():
            return own
        return own[~np.isin(self.number[own], self.number[own[self.in_gap[own]]])]

    def count(self, own: I64) -> int:
        """How many runs these are parts of."""
        return len(distinct(self.number[own]))

    def takes_ns(self, own: I64) -> int:
        """What these runs take, added up: on the device; on the host where they asked for nothing."""
        if not self.ops[own].any():
            return self.cpu_ns(own)
        return int(self.together_busy_ns[own].sum() + self.together_idle_ns[own].sum())

    def devices(self, own: I64) -> int:
        """How many devices work in one of these runs, the most that do; 0 of none, as on a CPU.

        Copies alone are no work where there are kernels.
        """
        device = self.work.device
        if self.work.on_device and device.min() == device.max():
            return int(self.ops[own].any())
        rows = self.rows(own)
        rows = rows[device[rows] != NO_DEVICE]
        kernels = rows[self.work.kind[rows] == OpKind.KERNEL]
        rows = kernels if len(kernels) else rows
        return devices_of_a_run(self.number[self.work.stage[rows]], device[rows])

    def cpu_ns(self, own: I64) -> int:
        """Time on the host inside the ranges of these runs, without the stages within them; on each thread once."""
        return int(self_times(self.ranges)[own].sum())

    def span_ns(self, own: I64) -> int:
        """First instant to last of the work of these runs, per request (per run where requests are unknown), added up.

        Runs that asked for nothing count nothing.
        """
        own = own[self.ops[own] > 0]
        if not len(own):
            return 0
        request = self.ranges.request[own]
        groups, group = coded(int64(np.where(request >= 0, request, -1 - own)))
        first = np.full(len(groups), np.iinfo(np.int64).max)
        last = np.full(len(groups), np.iinfo(np.int64).min)
        np.minimum.at(first, group, self.start_ns[own])
        np.maximum.at(last, group, self.end_ns[own])
        return int((last - first).sum())


def runs_of(ranges: StageRanges, work: Work, manifest: Manifest | None, lost: LostWork | None = None) -> Runs:
    """Put the work of a trace together by the stage ranges in which it was asked for.

    Args:
        ranges: the trace's stages.
        work: the trace's.
        manifest: its recording's, if there is one.
        lost: launches of the trace that have no device op; None of a trace without any.
    """
    size = len(ranges)
    order = int32(np.flatnonzero(work.stage >= 0))
    run = work.stage[order]
    ops = np.bincount(run, minlength=size)[:size] if size else int64([])
    if not is_ascending(run):
        order = order[np.argsort(run, kind="stable")]
    del run
    begin = np.concatenate([[0], np.cumsum(ops)])
    some = np.flatnonzero(ops)
    first, last = ranges.start_ns.copy(), ranges.end_ns.copy()
    if len(order):
        first[some] = np.minimum.reduceat(work.start_ns[order], begin[some])
        last[some] = np.maximum.reduceat(work.end_ns[order], begin[some])

    def total(column: I64) -> I64:
        sums = np.zeros(size, dtype=np.int64)
        if len(order):
            sums[some] = np.add.reduceat(column[order], begin[some])
        return sums

    together_busy_ns, together_idle_ns = map(total, together(work, _shared(ranges, work)))
    requests, request = coded(ranges.request)
    samples = int64([sample_of(manifest, number) for number in requests.tolist()])
    return Runs(
        ranges=ranges,
        work=work,
        number=_numbered(ranges),
        sample=samples[request],
        ops=int64(ops),
        time_ns=total(work.time_ns),
        busy_ns=total(work.busy_ns),
        host_ns=total(work.host_ns),
        sync_ns=total(work.sync_ns),
        launch_ns=total(work.launch_ns),
        unknown_ns=total(work.unknown_ns),
        together_busy_ns=together_busy_ns,
        together_idle_ns=together_idle_ns,
        start_ns=first,
        end_ns=last,
        order=order,
        begin=int64(begin),
        lost=int64(np.zeros(size)) if lost is None else lost.of_ranges(size),
        in_gap=np.zeros(size, dtype=np.bool_) if lost is None else total(int64(lost.in_gap)) > 0,
        unrecorded=not len(work) and (lost is None or not len(lost)),
    )


def _shared(ranges: StageRanges, work: Work) -> list[list[int]]:
    """The devices that are one: those of a run, and those of models that take turns in a request."""
    run, device = work.stage, work.device
    if len(distinct(device)) < 2:
        return []
    if ranges.roles and not ranges.engine:
        request = np.append(ranges.request, -1)[work.stage]
        run = np.concatenate([run, np.where(request >= 0, len(ranges) + request, -1)])
        device = np.concatenate([device, device])
    return groups(int64(run), int64(device))


def _numbered(ranges: StageRanges) -> I64:
    """The number of the run that each range is a part of."""
    order = np.lexsort((ranges.index, ranges.stage, ranges.request, ranges.thread))
    first = np.ones(len(order), dtype=np.bool_)
    for column in (ranges.thread, ranges.request, ranges.stage, ranges.index):
        first[1:] &= column[order][1:] == column[order][:-1]
    first = ~first | (ranges.request[order] < 0)
    first[:1] = True
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.cumsum(first) - 1
    return number

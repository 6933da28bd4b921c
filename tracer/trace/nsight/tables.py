"""What of which table becomes which column of a `Trace`.

Tables exist only where they have rows, and their columns differ between versions of Nsight: what is not there is read
as missing. Ids that are unique within a process only are made unique within the file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int8, int32, int64
from tracer.document.names import DOMAIN as OUR_DOMAIN
from tracer.trace.columns import MISSING, NO_CORRELATION, NO_THREAD, DeviceOps, HostCalls, OpKind, Spans
from tracer.trace.names import cut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracer.arrays import I32, I64, Bools
    from tracer.trace.nsight.names import Names

COMMON = ("start", "end", "deviceId", "contextId", "streamId", "correlationId", "globalPid")
PID = COMMON.index("globalPid")
# Tables of device ops, with the columns behind the common ones that name an op or say its size.
OP_TABLES = {
    OpKind.KERNEL: ("CUPTI_ACTIVITY_KIND_KERNEL", ("demangledName",)),
    OpKind.MEMCPY: ("CUPTI_ACTIVITY_KIND_MEMCPY", ("copyKind", "srcKind", "dstKind", "bytes")),
    OpKind.MEMSET: ("CUPTI_ACTIVITY_KIND_MEMSET", ("memKind", "bytes")),
    OpKind.GRAPH: ("CUPTI_ACTIVITY_KIND_GRAPH_TRACE", ("graphId",)),
}
CALLS = ("CUPTI_ACTIVITY_KIND_RUNTIME", ("start", "end", "globalTid", "correlationId", "nameId"))
NVTX = ("NVTX_EVENTS", ("start", "end", "eventType", "globalTid", "endGlobalTid", "domainId", "textId"))

PUSH_POP, START_END, MARK, DOMAIN = 59, 60, 34, 75
TID_BITS = 24
ID_MASK = (1 << TID_BITS) - 1
# Times and ids beyond are damage, and sums of them would leave 64 bits.
LIMIT = 1 << 60
HIGHEST_CORRELATION = (1 << 32) - 1
BAD_TIMES = "times that cannot be"
# The number of a device, context or stream that a row does not name; they are numbered from 0 on.
UNTOLD = -1


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of a file, numbered.

    Attributes:
        keys: what stands above the thread's bits of a globalTid or globalPid, ascending.
    """

    keys: I64

    @classmethod
    def of(cls, global_pids: Sequence[I64], global_tids: Sequence[I64]) -> Processes:
        """Number the processes that these columns name."""
        keys = {key for column in (*global_pids, *global_tids) for key in coded(column >> TID_BITS)[0].tolist()}
        return cls(int64(sorted(keys - {MISSING >> TID_BITS})))

    def number(self, global_id: I64) -> I64:
        """The process of each globalTid or globalPid; where that is missing, the only process there is, or -1."""
        only = 0 if len(self.keys) == 1 else -1
        place = np.minimum(np.searchsorted(self.keys, global_id >> TID_BITS), max(len(self.keys) - 1, 0))
        return int64(np.where(global_id == MISSING, only, place))

    def labels(self) -> list[str]:
        """Their ids, with the machine's in front where two have one id."""
        pids = (self.keys & ID_MASK).tolist()
        often = Counter(pids)
        return [
            str(pid) if often[pid] == 1 else f"{key >> TID_BITS}:{pid}"
            for key, pid in zip(self.keys.tolist(), pids, strict=True)
        ]


def read_ops(
    raw: Mapping[OpKind, Sequence[I64]], names: Names, processes: Processes, skipped: Counter[str]
) -> tuple[DeviceOps, I64]:
    """The device ops of all tables, with their correlations as exported, and the process of each."""
    parts = [_ops_of(kind, usable_rows(columns, skipped), names, processes) for kind, columns in raw.items()]
    start, end, device, context, stream, correlation, process, name, kind, size = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    ops = DeviceOps(
        start_ns=start,
        end_ns=end,
        name=int32(name),
        kind=int8(kind),
        device=device,
        stream=_unique_streams(process, device, context, stream),
        correlation=correlation,
        size_bytes=size,
    )
    return ops, process


def _ops_of(kind: OpKind, columns: Sequence[I64], names: Names, processes: Processes) -> tuple[I64, ...]:
    start, end, device, context, stream, correlation, pid, *rest = columns
    device, context, stream = (np.where(column == MISSING, UNTOLD, column) for column in (device, context, stream))
    size = np.zeros(len(start), dtype=np.int64)
    if kind is OpKind.KERNEL:
        name = names.of_ids(rest[0])
    elif kind is OpKind.MEMCPY:
        direction, source, target, size = rest
        name = names.of_copies(direction, source, target)
    elif kind is OpKind.MEMSET:
        memory, size = rest
        name = names.of_fills(memory)
    else:
        name = names.of_graphs(rest[0])
    process = processes.number(pid)
    return (
        start, end, device, context, stream, correlation, process,
        int64(name), np.full(len(start), kind, dtype=np.int64), np.maximum(size, 0),
    )  # fmt: skip


def usable_rows(columns: Sequence[I64], skipped: Counter[str]) -> list[I64]:
    """The rows whose times (the first two columns) can be; the others are counted."""
    start, end = columns[:2]
    # What happened before the session began has a time before zero.
    usable = (start > -LIMIT) & (end >= start) & (end < LIMIT)
    if usable.all():
        return list(columns)
    skipped[BAD_TIMES] += int(np.count_nonzero(~usable))
    return [column[usable] for column in columns]


def _unique_streams(process: I64, device: I64, context: I64, stream: I64) -> I64:
    """Stream ids that mean one queue each: other contexts of a device number their streams alike."""
    if all(len(column) == 0 or column.min() == column.max() for column in (process, context)):
        return stream
    joint = np.zeros(len(stream), dtype=np.int64)
    for column in (process, device, context, stream):
        distinct, code = coded(column)
        joint = joint * len(distinct) + code
    queues, queue = coded(joint)
    first = np.zeros(len(queues), dtype=np.int64)
    first[queue[::-1]] = np.arange(len(stream))[::-1]
    fresh = int(stream.max(initial=0)) + 1
    taken: set[tuple[int, int]] = set()
    renamed = stream[first]
    for place, (where, number) in enumerate(zip(device[first].tolist(), stream[first].tolist(), strict=True)):
        if (where, number) in taken:
            renamed[place] = fresh
            fresh += 1
        taken.add((where, number))
    return int64(renamed[queue])


def unique_correlations(correlations: Sequence[I64], processes: Sequence[I64]) -> list[I64]:
    """Correlations that differ between processes: each process has a range of numbers of its own.

    Args:
        correlations: columns that share their ids, as exported.
        processes: the process of each row, -1 where unknown.
    """
    highest = max((int(column.max(initial=0)) for column in correlations), default=0)
    most = min(highest, HIGHEST_CORRELATION) + 1
    unique = []
    for correlation, process in zip(correlations, processes, strict=True):
        usable = (correlation > 0) & (correlation < most) & (process >= 0)
        unique.append(int64(np.where(usable, correlation + process * most, NO_CORRELATION)))
    return unique


@dataclass(frozen=True, slots=True)
class Threads:
    """The threads of a file, numbered: `ids` are the (process, thread) ids of `Trace.threads`."""

    keys: I64
    ids: list[tuple[str, str]]

    @classmethod
    def of(cls, global_tids: Sequence[I64], processes: Processes) -> Threads:
        """Number the threads that these columns name."""
        keys = int64(sorted({key for column in global_tids for key in coded(column)[0].tolist()}))
        labels = processes.labels()
        numbers = processes.number(keys).tolist()
        ids = [
            (labels[number] if number >= 0 else "unknown", str(key & ID_MASK))
            for key, number in zip(keys.tolist(), numbers, strict=True)
        ]
        return cls(keys, ids)

    def number(self, global_tids: I64) -> I32:
        """The number of each thread."""
        return int32(np.searchsorted(self.keys, global_tids))


def read_calls(columns: Sequence[I64], correlation: I64, names: Names, threads: Threads) -> HostCalls:
    """The calls of the CUDA runtime and driver."""
    start, end, thread, _, name = columns
    return HostCalls(start, end, names.of_calls(name), threads.number(thread), correlation)


@dataclass(frozen=True, slots=True)
class Ranges:
    """NVTX ranges: those of a thread's stack, and those that begin and end anywhere.

    Attributes:
        stacked: push/pop ranges.
        loose: start/end ranges.
        unended: how many have no end and were taken to run to the end of the trace.
        marks: texts of marks in our domain, in the order of time.
    """

    stacked: Spans
    loose: Spans
    unended: int
    marks: list[str]


def read_ranges(
    columns: Sequence[I64], labels: Sequence[str], latest_ns: int, names: Names, threads: Threads, skipped: Counter[str]
) -> Ranges:
    """Read the ranges.

    Args:
        columns: of NVTX.
        labels: name of each row, with its domain.
        latest_ns: the last moment of the trace.
        names: numbers them.
        threads: likewise.
        skipped: counts those left out.
    """
    start, end, kind, thread, end_thread, *_ = columns
    is_range = (kind == PUSH_POP) | (kind == START_END)
    unended = is_range & (end == MISSING)
    end = np.where(unended, np.maximum(start, latest_ns), end)
    usable = is_range & (start > -LIMIT) & (end >= start) & (end < LIMIT)
    if bad := int(np.count_nonzero(is_range & ~usable)):
        skipped[BAD_TIMES] += bad
    number = int32(
        [names.number(label) if wanted else -1 for label, wanted in zip(labels, usable.tolist(), strict=True)]
    )

    on_thread = np.where((end_thread == MISSING) | (kind == PUSH_POP), threads.number(thread), NO_THREAD)

    def spans(chosen: Bools) -> Spans:
        return Spans(start[chosen], end[chosen], number[chosen], int32(on_thread[chosen]))

    marks = np.flatnonzero(kind == MARK)
    marks = marks[np.argsort(start[marks], kind="stable")]
    return Ranges(
        stacked=spans(usable & (kind == PUSH_POP)),
        loose=spans(usable & (kind == START_END)),
        unended=int(np.count_nonzero(unended & usable)),
        marks=[labels[row] for row in marks.tolist()],
    )


def range_labels(texts: Sequence[str | None], columns: Sequence[I64], known: Mapping[int, str | None]) -> list[str]:
    """The name of each row of NVTX: its text, or the string of its id, behind its domain's name and a colon.

    Ranges of our domain go by their bare names, as in Chrome traces.
    """
    _, _, kind, thread, _, domain, text_id = columns
    texts = texts or [None] * len(kind)
    process = thread >> TID_BITS
    prefixes: dict[tuple[int, int], str] = {}
    for row in np.flatnonzero(kind == DOMAIN).tolist():
        name = texts[row] or known.get(int(text_id[row]))
        prefix = f"{cut(name)}:" if name and name != OUR_DOMAIN else ""
        prefixes.setdefault((int(process[row]), int(domain[row])), prefix)
    rows = zip(process.tolist(), domain.tolist(), text_id.tolist(), texts, (kind == MARK).tolist(), strict=True)
    # An id wins over a text, as in Nsight's own reports. A mark may be a manifest, which is no name.
    return [
        prefixes.get((owner, number), "") + (found if whole else cut(found))
        for owner, number, string, text, whole in rows
        for found in (known.get(string) or text or "",)
    ]

"""What `nsys stats` prints of an export, computed slowly from its tables alone. Read it as the definition.

After the descriptions that Nsight Systems 2023.4 gives of its reports (`nsys stats --help-reports`), and checked row by
row against what it prints.
"""

from __future__ import annotations

import sqlite3
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

DOMAIN = 75
STYLES = {59: "PushPop", 60: "StartEnd"}
TID_BITS, ID_MASK = 24, (1 << 24) - 1
KERNELS, COPIES, FILLS = (f"CUPTI_ACTIVITY_KIND_{kind}" for kind in ("KERNEL", "MEMCPY", "MEMSET"))


class Projection(NamedTuple):
    """A row of `nvtx_gpu_proj_sum`: the ranges of a name that hold any op, each from its first op to its last."""

    name: str
    style: str
    total_ns: int
    total_range_ns: int
    instances: int
    average_ns: float
    median_ns: float
    minimum_ns: int
    maximum_ns: int
    deviation_ns: float
    ops: int
    average_ops: float
    average_level: float | None
    average_children: float


class KernelSum(NamedTuple):
    """A row of `nvtx_kern_sum`: the kernels of a name in the ranges of a name, thread by thread."""

    name: str | None
    style: str | None
    pid: int | None
    tid: int | None
    ranges: int
    kernels: int
    total_ns: int
    average_ns: float
    median_ns: float
    minimum_ns: int
    maximum_ns: int
    deviation_ns: float
    kernel: str | None


class _Range(NamedTuple):
    row: int
    start: int
    end: int
    thread: int
    name: str | None
    style: str


class _Call(NamedTuple):
    start: int
    end: int
    thread: int
    correlation: int


class _Op(NamedTuple):
    row: int
    start: int
    end: int
    correlation: int
    process: int
    name: int | None


class _Export:
    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as self._connection:
            self._tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master")}
            self.strings = dict(self._select("StringIds", "id, value"))
            self.ranges = self._ranges()
            columns = "start, end, globalTid, correlationId"
            self.calls = [_Call(*row) for row in self._select("CUPTI_ACTIVITY_KIND_RUNTIME", columns)]
            columns = "rowid, start, end, correlationId, globalPid"
            self.kernels = [_Op(*row) for row in self._select(KERNELS, f"{columns}, demangledName")]
            copies, fills = (self._select(table, f"{columns}, NULL") for table in (COPIES, FILLS))
            self.ops = self.kernels + [_Op(*row) for row in copies + fills]
            # Without a table that it needs, a report says nothing at all.
            self.annotated = {"NVTX_EVENTS", "CUPTI_ACTIVITY_KIND_RUNTIME"} <= self._tables

    def _select(self, table: str, columns: str) -> list[tuple]:
        return self._connection.execute(f"SELECT {columns} FROM {table}").fetchall() if table in self._tables else []

    def _ranges(self) -> list[_Range]:
        """Push/pop and start/end ranges that end on the thread that began them, named with their domain."""
        columns = "rowid, start, end, globalTid, endGlobalTid, eventType, domainId, text, textId"
        events = self._select("NVTX_EVENTS", columns)
        domains = {(_pid(thread), domain): text for *_, thread, _, kind, domain, text, _ in events if kind == DOMAIN}
        latest = max((max(start, end or 0) for _, start, end, *_, kind, _, _, _ in events if kind in STYLES), default=0)
        ranges = []
        for row, start, end, thread, end_thread, kind, domain, text, text_id in events:
            if kind in STYLES and end_thread is None:
                name = self.strings.get(text_id, text)
                prefix = domains.get((_pid(thread), domain))
                named = name if prefix is None or name is None else f"{prefix}:{name}"
                ranges.append(_Range(row, start, latest if end is None else end, thread, named, STYLES[kind]))
        return ranges

    def launches(self, ops: Iterable[_Op]) -> Iterator[tuple[_Op, _Call]]:
        """Each op with each call that has its correlation, in its process."""
        calls = defaultdict(list)
        for call in self.calls:
            calls[call.thread >> TID_BITS, call.correlation].append(call)
        for op in ops:
            if op.correlation is not None:  # nothing equals NULL
                for call in calls[op.process >> TID_BITS, op.correlation]:
                    yield op, call


def enclosing(ranges: Iterable[_Range], spans: Iterable[_Range | _Call]) -> dict[_Range | _Call, list[_Range]]:
    """For each span the ranges of its thread that hold it whole, their ends included."""
    found: dict[_Range | _Call, list[_Range]] = {}
    waiting, begun = defaultdict(list), defaultdict(list)
    for each in sorted(ranges, key=lambda each: each.start, reverse=True):
        waiting[each.thread].append(each)
    for span in sorted(spans, key=lambda span: span.start):
        thread = span.thread
        while waiting[thread] and waiting[thread][-1].start <= span.start:
            begun[thread].append(waiting[thread].pop())
        begun[thread] = [each for each in begun[thread] if each.end >= span.start]
        found[span] = [each for each in begun[thread] if each.end >= span.end]
    return found


def gpu_projection(path: Path) -> list[Projection]:
    """`nvtx_gpu_proj_sum` of an export, most total time first."""
    export = _Export(path)
    holders = enclosing(export.ranges, export.calls)
    held = defaultdict(list)
    for op, call in export.launches(export.ops):
        for each in holders[call]:
            held[each].append(op)
    parents = _parents(export.ranges)
    children = defaultdict(int)
    for each in held:
        children[parents[each]] += 1
    groups = defaultdict(list)
    for each in held:
        if each.name is not None:
            groups[each.name, each.style].append(each)
    rows = []
    for (name, style), instances in groups.items():
        spans = [max(op.end for op in held[each]) - min(op.start for op in held[each]) for each in instances]
        ops = [len({op.correlation for op in held[each]}) for each in instances]
        levels = [level for each in instances if (level := _level(each, parents)) is not None]
        rows.append(
            Projection(
                name,
                style,
                sum(spans),
                sum(each.end - each.start for each in instances),
                len(instances),
                *_spread(spans),
                sum(ops),
                _rounded(statistics.mean(ops)),
                _rounded(statistics.mean(levels)) if levels else None,
                _rounded(statistics.mean(children[each] for each in instances)),
            )
        )
    return sorted(rows, key=lambda row: -row.total_ns)


def kernel_sums(path: Path) -> list[KernelSum]:
    """`nvtx_kern_sum` of an export.

    A kernel counts in every range around its launch: in two of one name its time is added twice. A kernel without
    a range, or without a call, has a row that says so.
    """
    export = _Export(path)
    if not export.annotated:
        return []
    holders = enclosing(export.ranges, export.calls)
    groups = defaultdict(list)
    launched = set()
    for kernel, call in export.launches(export.kernels):
        launched.add(kernel)
        for each in holders[call] or [None]:
            where = (each.name, each.style) if each else (None, None)
            groups[where, _pid(call.thread), _tid(call.thread), kernel.name].append((kernel, each))
    for kernel in export.kernels:
        if kernel not in launched:
            groups[(None, None), None, None, kernel.name].append((kernel, None))
    rows = []
    for ((name, style), pid, tid, kernel_name), members in groups.items():
        times = [kernel.end - kernel.start for kernel, _ in members]
        rows.append(
            KernelSum(
                name,
                style,
                pid,
                tid,
                len({each for _, each in members if each}),
                len({kernel for kernel, _ in members}),
                sum(times),
                *_spread(times),
                export.strings.get(kernel_name),
            )
        )
    return rows


def _pid(global_tid: int) -> int:
    return global_tid >> TID_BITS & ID_MASK


def _tid(global_tid: int) -> int:
    return global_tid & ID_MASK


def _parents(ranges: list[_Range]) -> dict[_Range, _Range | None]:
    """For each range the one around it that is least longer; which of two alike, nsys leaves to its index."""
    return {
        each: min((outer for outer in around if outer != each), key=lambda outer: outer.end - outer.start, default=None)
        for each, around in enclosing(ranges, ranges).items()
    }


def _level(each: _Range, parents: dict[_Range, _Range | None]) -> int | None:
    """How many ranges are around one; None where two of the same times are around each other."""
    seen = {each}
    while (outer := parents[each]) is not None:
        if outer in seen:
            return None
        seen.add(outer)
        each = outer
    return len(seen) - 1


def _spread(values: list[int]) -> tuple[float, float, int, int, float]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    mean, median = _rounded(statistics.mean(values)), _rounded(statistics.median(values))
    return mean, median, min(values), max(values), _rounded(deviation)


def _rounded(value: float) -> float:
    # SQLite rounds the digits that it would print.
    return float(Decimal(repr(float(value))).quantize(Decimal("0.1"), ROUND_HALF_UP))

"""Reading an Nsight Systems export into a `Trace`."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import coded, int64
from tracer.document import manifest as manifests
from tracer.document.errors import InputError, MissingError
from tracer.document.words import counted, unended
from tracer.nsys import export, find
from tracer.packed import replaced
from tracer.trace.columns import MISSING, Device, OpKind, Spans, Trace
from tracer.trace.memory import keep_freed_pages
from tracer.trace.names import cut
from tracer.trace.nsight.database import Database
from tracer.trace.nsight.launched import read_launched
from tracer.trace.nsight.names import Names
from tracer.trace.nsight.origin import read_origin
from tracer.trace.nsight.scheduling import read_stopped
from tracer.trace.nsight.tables import (
    CALLS,
    COMMON,
    ID_MASK,
    NVTX,
    OP_TABLES,
    PID,
    Processes,
    Ranges,
    Threads,
    range_labels,
    read_calls,
    read_ops,
    read_ranges,
    unique_correlations,
    usable_rows,
)
from tracer.trace.parallel import default_jobs, in_processes
from tracer.trace.untimed import keep, timed_ops

if TYPE_CHECKING:
    from tracer.arrays import I64
    from tracer.document.manifest import Manifest
    from tracer.trace.columns import DeviceOps

STRINGS, EXPORT, CAPTURE = "StringIds", "META_DATA_EXPORT", "META_DATA_CAPTURE"
OVERHEAD = ("PROFILER_OVERHEAD", ("start", "end"))
# One part in so many of the recorded window.
NOTICEABLE = 100
# Smaller exports are read before the memory allocator matters.
LARGE_BYTES = 64 << 20
GPUS, CUDA_DEVICES = "TARGET_INFO_GPU", "TARGET_INFO_CUDA_DEVICE"


@dataclass(frozen=True, slots=True)
class _Raw:
    """The large tables as they stand in the file."""

    ops: dict[OpKind, list[I64]]
    calls: list[I64]


def read_export(path: Path, name: str, *, jobs: int | None = None, launched: bool = False) -> Trace:
    """Read a SQLite export of Nsight Systems.

    Args:
        path: of the export.
        name: for messages.
        jobs: processes to read with; by the file's size if None.
        launched: whether to read how kernels were launched.

    Raises:
        InputError: the file is damaged, being written, or no such export.
    """
    with Database(path, name) as database:
        if STRINGS not in database.tables or not database.tables.keys() & {EXPORT, CAPTURE, NVTX[0], CALLS[0]}:
            raise InputError(f"{name}: a SQLite file, but no export of Nsight Systems (nsys export --type sqlite)")
        size = path.stat().st_size
        if size >= LARGE_BYTES:
            keep_freed_pages()
        raw = _read_raw(path, name, jobs or default_jobs(size))
        trace = _assembled(name, database, raw)
        trace = replace(trace, launched=read_launched(database, len(trace.ops))) if launched else trace
        return keep(trace, timed_ops(trace))


def read_report(
    path: Path, name: str, *, nsys: Path | None = None, jobs: int | None = None, launched: bool = False
) -> Trace:
    """Read a report of Nsight Systems (`.nsys-rep`), by way of an export that is thrown away.

    Args:
        path: of the report.
        name: for messages.
        nsys: the program that exports it, or its folder; the one on PATH if None.
        jobs, launched: as for an export.

    Raises:
        MissingError: there is no nsys.
        InputError: nsys refuses the report.
    """
    try:
        program = find(nsys)
    except MissingError as error:
        raise MissingError(f"{name}: an Nsight report, which only nsys can read; {error}") from None
    with tempfile.TemporaryDirectory(prefix="tracer-") as folder:
        return read_export(export(program, path, Path(folder)), name, jobs=jobs, launched=launched)


def _read_raw(path: Path, name: str, jobs: int) -> _Raw:
    """Read the large tables, each process a part of each."""

    def work(share: int) -> _Raw:
        with Database(path, name) as database:

            def part(table: str, columns: tuple[str, ...]) -> list[I64]:
                return database.integers(table, columns, share=share, shares=jobs)

            return _Raw(
                ops={kind: part(table, (*COMMON, *columns)) for kind, (table, columns) in OP_TABLES.items()},
                calls=part(*CALLS),
            )

    shares = in_processes(work, jobs)
    return _Raw(
        ops={kind: _joined([share.ops[kind] for share in shares]) for kind in OP_TABLES},
        calls=_joined([share.calls for share in shares]),
    )


def _joined(parts: list[list[I64]]) -> list[I64]:
    if len(parts) == 1:
        return parts[0]
    return [int64(np.concatenate(columns)) for columns in zip(*parts, strict=True)]


def _assembled(name: str, database: Database, raw: _Raw) -> Trace:
    known = database.strings(STRINGS, "id", "value")
    nvtx = database.integers(*NVTX)
    skipped: Counter[str] = Counter()
    calls = usable_rows(raw.calls, skipped)
    processes = Processes.of([columns[PID] for columns in raw.ops.values()], [calls[2], nvtx[3]])
    names = Names(known)
    ops, process_of_op = read_ops(raw.ops, names, processes, skipped)
    own, of_calls = unique_correlations([ops.correlation, calls[3]], [process_of_op, processes.number(calls[2])])
    threads = Threads.of([calls[2], nvtx[3]], processes)
    ends = [column[column != MISSING] for column in (ops.end_ns, calls[1], nvtx[0], nvtx[1])]
    latest_ns = max((int(column.max()) for column in ends if len(column)), default=0)
    labels = range_labels(database.texts(NVTX[0], "text", len(nvtx[0])), nvtx, known)
    ranges = read_ranges(nvtx, labels, latest_ns, names, threads, skipped)
    gpu_of_op, devices = _gpus(database, ops.device, process_of_op, processes)
    host_calls = read_calls(calls, of_calls, names, threads)
    manifest = manifests.from_marks(ranges.marks)
    return Trace(
        path=name,
        format="nsight",
        producer=_producer(database, manifest),
        events=sum(database.last_row(table) for table, columns in database.tables.items() if "start" in columns),
        strings=names.strings,
        threads=threads.ids,
        devices=devices,
        ops=replaced(ops, correlation=own, device=gpu_of_op),
        calls=host_calls,
        ranges=ranges.stacked,
        loose_ranges=ranges.loose,
        stopped=read_stopped(database, threads, names),
        cpu_ops=Spans.none(),
        captures=int64([]),
        manifest=manifest,
        origin=read_origin(database),
        warnings=[*_warnings(skipped, ranges, ops), *_overhead(database, ops)],
    )


def _gpus(database: Database, ordinal: I64, process: I64, processes: Processes) -> tuple[I64, list[Device]]:
    """The GPU of each op, and what the file says of each.

    A process numbers the GPUs that it can see from 0 on; two processes may mean two GPUs by one ordinal.
    """
    columns = ("id", "cuDevice", "memoryBandwidth", "smCount")
    gpus = list(zip(*(column.tolist() for column in database.integers(GPUS, columns)), strict=True))
    names = database.texts(GPUS, "name", len(gpus)) or [None] * len(gpus)
    by_id = {
        number: Device(number, cut(name or ""), max(bandwidth, 0) or None, max(count, 0) or None)
        for (number, _, bandwidth, count), name in zip(gpus, names, strict=True)
    }
    by_ordinal = {cuda: number for number, cuda, _, _ in gpus if cuda != MISSING}
    seen = zip(
        *(column.tolist() for column in database.integers(CUDA_DEVICES, ("pid", "cudaId", "gpuId"))), strict=True
    )
    by_process = {(pid, cuda): gpu for pid, cuda, gpu in seen}
    pids = (processes.keys & ID_MASK).tolist()
    key, code = coded(ordinal * (len(pids) + 1) + process + 1)
    found = []
    for joint in key.tolist():
        number, place = divmod(joint, len(pids) + 1)
        pid = pids[place - 1] if place else None
        found.append(by_process.get((pid, number), by_ordinal.get(number, number)))
    return int64(found)[code] if found else ordinal, [
        by_id.get(gpu, Device(gpu, "")) for gpu in sorted({*found, *by_id})
    ]


def _producer(database: Database, manifest: Manifest | None) -> str:
    keys = database.texts(EXPORT, "name")
    values = database.texts(EXPORT, "value", len(keys)) or [None] * len(keys)
    settings = dict(zip(keys, values, strict=True))
    nsight = f"Nsight Systems {settings.get('EXPORT_PRODUCT_VERSION') or ''}".rstrip()
    return nsight if manifest is None else f"tracer {manifest.version} under {nsight}"


def _warnings(skipped: Counter[str], ranges: Ranges, ops: DeviceOps) -> list[str]:
    warnings = [f"{counted(count, 'event')} left out: {reason}" for reason, count in skipped.most_common()]
    if ranges.unended:
        warnings.append(unended(ranges.unended))
    if len(ranges.loose):
        are, hold = (
            ("range is", "holds nothing: it") if len(ranges.loose) == 1 else ("ranges are", "hold nothing: they")
        )
        warnings.append(f"{len(ranges.loose):,} start/end {are} listed, but {hold} may end on any thread")
    if graphs := int(np.count_nonzero(ops.kind == OpKind.GRAPH)):
        each = counted(graphs, "CUDA graph is", "CUDA graphs are")
        warnings.append(f"{each} one op each; nsys profile --cuda-graph-trace=node records their kernels")
    return warnings


def _overhead(database: Database, ops: DeviceOps) -> list[str]:
    """What nsys itself did in the process while the device ops ran, in words."""
    start, end = usable_rows(database.integers(*OVERHEAD), Counter())
    if not len(ops) or not len(start):
        return []
    first, last = int(ops.start_ns.min()), int(ops.end_ns.max())
    within = np.clip(np.minimum(end, last) - np.maximum(start, first), 0, None)
    spent_ns = int(within.sum())
    if spent_ns * NOTICEABLE < last - first:
        return []
    times = int(np.count_nonzero(within))
    worked = f"nsys itself worked for {spent_ns / 1e6:.1f} ms while the device ops ran"
    return [f"{worked} ({counted(times, 'time')}): some idle is its"]

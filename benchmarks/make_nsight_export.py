"""Write an Nsight Systems export of any size: the requests of an imaginary LLM, in the tables of a real 2023.4 export.

    python benchmarks/make_nsight_export.py big.sqlite --kernels 5000000

One thread launches, one stream runs behind it. Each request opens our ranges in the domain `tracer`; each decode step
ends in a copy of the token and a wait for it. Times are random but seeded. Like real exports the file has no indexes.
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

# Name and type of each column as nsys 2023.4 writes them: ! for NOT NULL, * for the primary key.
SCHEMA = {
    "StringIds": "id:I!* value:T!",
    "TARGET_INFO_SESSION_START_TIME": "utcEpochNs:I utcTime:T localTime:T",
    "ANALYSIS_DETAILS": "globalVid:I! duration:I! startTime:I! stopTime:I!",
    "TARGET_INFO_GPU": "vmId:I! id:I! name:T busLocation:T isDiscrete:I l2CacheSize:I totalMemory:I memoryBandwidth:I"
    " clockRate:I smCount:I pwGpuId:I uuid:T luid:I chipName:T cuDevice:I ctxswDevPath:T ctrlDevPath:T revision:I"
    " nodeMask:I constantMemory:I maxIPC:I maxRegistersPerBlock:I maxShmemPerBlock:I maxShmemPerBlockOptin:I"
    " maxShmemPerSm:I maxRegistersPerSm:I threadsPerWarp:I asyncEngines:I maxWarpsPerSm:I maxBlocksPerSm:I"
    " maxThreadsPerBlock:I maxBlockDimX:I maxBlockDimY:I maxBlockDimZ:I maxGridDimX:I maxGridDimY:I maxGridDimZ:I"
    " computeMajor:I computeMinor:I smMajor:I smMinor:I",
    "META_DATA_EXPORT": "name:T! value:T",
    "PROCESSES": "globalPid:I pid:I name:T",
    "CUPTI_ACTIVITY_KIND_MEMCPY": "start:I! end:I! deviceId:I! contextId:I! greenContextId:I streamId:I!"
    " correlationId:I globalPid:I bytes:I! copyKind:I! deprecatedSrcId:I srcKind:I dstKind:I srcDeviceId:I"
    " srcContextId:I dstDeviceId:I dstContextId:I migrationCause:I graphNodeId:I virtualAddress:I",
    "CUPTI_ACTIVITY_KIND_KERNEL": "start:I! end:I! deviceId:I! contextId:I! greenContextId:I streamId:I!"
    " correlationId:I globalPid:I demangledName:I! shortName:I! mangledName:I launchType:I cacheConfig:I"
    " registersPerThread:I! gridX:I! gridY:I! gridZ:I! blockX:I! blockY:I! blockZ:I! staticSharedMemory:I!"
    " dynamicSharedMemory:I! localMemoryPerThread:I! localMemoryTotal:I! gridId:I! sharedMemoryExecuted:I"
    " graphNodeId:I sharedMemoryLimitConfig:I",
    "CUPTI_ACTIVITY_KIND_SYNCHRONIZATION": "start:I! end:I! deviceId:I! contextId:I! greenContextId:I streamId:I!"
    " correlationId:I globalPid:I syncType:I! eventId:I!",
    "CUPTI_ACTIVITY_KIND_RUNTIME": "start:I! end:I! eventClass:I! globalTid:I correlationId:I nameId:I! returnValue:I!"
    " callchainId:I",
    "NVTX_EVENTS": "start:I! end:I eventType:I! rangeId:I category:I color:I text:T globalTid:I endGlobalTid:I"
    " textId:I domainId:I uint64Value:I int64Value:I doubleValue:R uint32Value:I int32Value:I floatValue:R"
    " jsonTextId:I jsonText:T",
}
TYPES = {"I": "INTEGER", "T": "TEXT", "R": "REAL"}
GLOBAL_PID = 1 << 48 | 4242 << 24
GLOBAL_TID = GLOBAL_PID | 4242
DOMAIN_CREATE, CATEGORY, PUSH_POP = 75, 33, 59
HOST_TO_DEVICE, DEVICE_TO_HOST, PAGEABLE, DEVICE_MEMORY = 1, 2, 0, 2
LAUNCHES = ("cudaLaunchKernel_v7000", "cuLaunchKernelEx")
STREAM_SYNCHRONIZE, NO_EVENT = 3, (1 << 32) - 1
START_NS = 8_000_000_000
CHUNK = 200_000
# Where things run and what is the same for all of them.
PLACE = {"deviceId": 0, "contextId": 1, "streamId": 7, "globalPid": GLOBAL_PID}
SHAPE = {
    "launchType": 1, "registersPerThread": 168, "gridX": 132, "gridY": 1, "gridZ": 1, "blockX": 128, "blockY": 1,
    "blockZ": 1, "staticSharedMemory": 1024, "dynamicSharedMemory": 0, "localMemoryPerThread": 0, "localMemoryTotal": 0,
    "gridId": 1, "sharedMemoryExecuted": 32768,
}  # fmt: skip
GPU = {
    "vmId": 1 << 48, "id": 0, "name": "Imaginary GPU", "memoryBandwidth": 4_800_000_000_000, "smCount": 132,
    "cuDevice": 0, "totalMemory": 150_000_000_000, "computeMajor": 9, "computeMinor": 0,
}  # fmt: skip
EXPORT = {
    "EXPORT_PRODUCT_NAME": "NVIDIA Nsight Systems", "EXPORT_PRODUCT_VERSION": "2023.4.4.54",
    "EXPORT_SCHEMA_VERSION": "3.7.2", "EXPORT_PLATFORM": "linux-desktop", "EXPORT_ARCH": "x64",
}  # fmt: skip


class Strings:
    """Numbers strings, as the export's table of them does."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}

    def __getitem__(self, text: str) -> int:
        return self.ids.setdefault(text, len(self.ids))


class Tables:
    """The export being written; rows are kept until there are enough of them to be worth a statement."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._waiting: dict[tuple[str, tuple[str, ...], tuple[Any, ...]], list[Sequence[Any]]] = {}
        for table, columns in SCHEMA.items():
            spelled = [_column(column) for column in columns.split()]
            connection.execute(f"CREATE TABLE {table} ({', '.join(spelled)})")

    def add(self, table: str, columns: dict[str, Any], rows: int = 1) -> None:
        """Add rows. What is an array differs from row to row, what is a number or a text is the same in all."""
        same = {name: value for name, value in columns.items() if not isinstance(value, np.ndarray)}
        names = tuple(name for name in columns if name not in same)
        waiting = self._waiting.setdefault((table, (*names, *same), tuple(same.values())), [])
        waiting.extend(zip(*(columns[name].tolist() for name in names), strict=True) if names else [()] * rows)
        if len(waiting) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        for (table, names, same), rows in self._waiting.items():
            values = ["?"] * (len(names) - len(same)) + [_literal(value) for value in same]
            self._connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(values)})", rows)
            rows.clear()


def _column(spelled: str) -> str:
    name, _, kind = spelled.partition(":")
    return f"{name} {TYPES[kind[0]]}{' NOT NULL' if '!' in kind else ''}{' PRIMARY KEY' if '*' in kind else ''}"


def _literal(value: Any) -> str:
    return "NULL" if value is None else str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


class Machine:
    """A thread that launches and a stream that runs behind it; both only move forward."""

    def __init__(self, tables: Tables, strings: Strings, seed: int) -> None:
        self.now, self.correlation, self.kernels = START_NS, 0, 0
        self._free = START_NS
        self._tables, self._strings, self._random = tables, strings, np.random.default_rng(seed)
        self._ranges: list[tuple[int, int, str, int | None]] = []
        self._categories: dict[str, int] = {}
        self._names = {
            stage: np.array(
                [strings[f"void {stage}_kernel_{number}<(int){number}, float>(T2 *, int)"] for number in range(count)]
            )
            for stage, count in (("vision", 25), ("prefill", 30), ("decode", 40))
        }
        self._nvtx(DOMAIN_CREATE, text="tracer", domainId=1)

    @contextmanager
    def range(self, kind: str, index: int | None = None) -> Iterator[None]:
        """A range of ours around what happens inside."""
        if kind not in self._categories:
            self._categories[kind] = len(self._categories) + 1
            self._nvtx(CATEGORY, text=kind, category=self._categories[kind], domainId=1)
        self.now += 2_000
        start = self.now
        yield
        self.now += 2_000
        self._ranges.append((start, self.now, kind, index))

    def launch(self, stage: str, count: int, mean_ns: int) -> None:
        """Kernels of a stage, each as soon as it is launched and the one before it is done."""
        call_ns = self._random.integers(2_500, 6_000, count)
        start = self.now + np.cumsum(call_ns + self._random.integers(1_000, 9_000, count)) - call_ns
        length = self._random.gamma(2.0, mean_ns / 2, count).astype(np.int64) + 1_000
        began, ended = self._run(start + call_ns + 700, length)
        which = self._random.integers(0, len(self._names[stage]), count)
        correlation = self._correlations(count)
        name = self._names[stage][which]
        # Libraries launch through the driver, PyTorch through the runtime.
        self._call(LAUNCHES, start, start + call_ns, correlation, (which % 3 == 0).astype(np.int64))
        ids = {"correlationId": correlation, "demangledName": name, "shortName": name, "mangledName": name}
        self._tables.add("CUPTI_ACTIVITY_KIND_KERNEL", {"start": began, "end": ended, **ids, **PLACE, **SHAPE})
        self.now = int(start[-1] + call_ns[-1])
        self.kernels += count

    def copy(self, size: int, kind: int) -> None:
        """A copy, launched like a kernel."""
        correlation = self._correlations(1)
        start, end = np.array([self.now + 1_500]), np.array([self.now + 7_500])
        self._call(("cudaMemcpyAsync_v3020",), start, end, correlation, np.array([0]))
        began, ended = self._run(end + 700, np.array([1_000 + size // 50]))
        memory = (PAGEABLE, DEVICE_MEMORY) if kind == HOST_TO_DEVICE else (DEVICE_MEMORY, PAGEABLE)
        what = {"bytes": size, "copyKind": kind, "srcKind": memory[0], "dstKind": memory[1]}
        times = {"start": began, "end": ended, "correlationId": correlation}
        self._tables.add("CUPTI_ACTIVITY_KIND_MEMCPY", {**times, **PLACE, **what})
        self.now = int(end[0])

    def wait(self) -> None:
        """Wait until the stream is empty."""
        correlation = self._correlations(1)
        start, end = np.array([self.now + 500]), np.array([max(self.now + 1_000, self._free) + 4_000])
        self._call(("cudaStreamSynchronize_v3020",), start, end, correlation, np.array([0]))
        times = {"start": start, "end": end, "correlationId": correlation}
        what = {"syncType": STREAM_SYNCHRONIZE, "eventId": NO_EVENT}
        self._tables.add("CUPTI_ACTIVITY_KIND_SYNCHRONIZATION", {**times, **PLACE, **what})
        self.now = int(end[0])

    def finish(self) -> None:
        """Write the ranges, in the order of their starts."""
        for start, end, kind, index in sorted(self._ranges):
            text = f"tracer/{kind}" if index is None else f"tracer/{kind}#{index}"
            what = {"category": self._categories[kind], "textId": self._strings[text], "int64Value": index}
            self._nvtx(PUSH_POP, start=start, end=end, color=255, domainId=1, **what)

    def _run(self, ready: Any, length: Any) -> tuple[Any, Any]:
        """Start and end of ops in a stream: each begins when it is ready and the one before it is done."""
        busy = np.cumsum(length + 600)
        ended = busy + np.maximum.accumulate(np.maximum(ready - busy + length + 600, self._free))
        self._free = int(ended[-1])
        return ended - 600 - length, ended - 600

    def _correlations(self, count: int) -> Any:
        self.correlation += count
        return np.arange(self.correlation - count + 1, self.correlation + 1)

    def _call(self, names: tuple[str, ...], start: Any, end: Any, correlation: Any, event_class: Any) -> None:
        """Calls of the runtime (event class 0) and the driver (1), with their names in this order."""
        name = np.array([self._strings[name] for name in names])[event_class]
        times = {"start": start, "end": end, "correlationId": correlation}
        what = {"eventClass": event_class, "nameId": name, "globalTid": GLOBAL_TID, "returnValue": 0}
        self._tables.add("CUPTI_ACTIVITY_KIND_RUNTIME", {**times, **what})

    def _nvtx(self, kind: int, **columns: Any) -> None:
        self._tables.add("NVTX_EVENTS", {"start": self.now, **columns, "eventType": kind, "globalTid": GLOBAL_TID})


def answer(machine: Machine, request: int, *, tokens: int, step_kernels: int) -> None:
    """One request: five frames, a prompt, and tokens."""
    with machine.range("request", request):
        with machine.range("load"):
            machine.now += 400_000
        with machine.range("preprocess"):
            for _ in range(5):
                machine.copy(602_112, HOST_TO_DEVICE)
        with machine.range("vision"):
            for frame in range(5):
                with machine.range("encoder", request * 5 + frame):
                    machine.launch("vision", max(step_kernels // 4, 1), 5_000)
        with machine.range("prefill"):
            machine.launch("prefill", step_kernels, 14_000)
        for step in range(1, tokens):
            with machine.range("decode", step):
                machine.launch("decode", step_kernels, 4_000)
                machine.copy(8, DEVICE_TO_HOST)
                machine.wait()
        machine.now += 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--kernels", type=int, default=5_000_000, help="at least so many; the last request is whole")
    parser.add_argument("--tokens", type=int, default=64, help="per request")
    parser.add_argument("--step-kernels", type=int, default=1500, help="in prefill and in each decode step")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.output.unlink(missing_ok=True)
    with closing(sqlite3.connect(options.output, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")
        tables, strings = Tables(connection), Strings()
        machine = Machine(tables, strings, options.seed)
        request = 0
        while machine.kernels < options.kernels:
            answer(machine, request, tokens=options.tokens, step_kernels=options.step_kernels)
            request += 1
        machine.finish()
        tables.add("TARGET_INFO_GPU", GPU)
        tables.add("PROCESSES", {"globalPid": GLOBAL_PID, "pid": 4242, "name": "python"})
        tables.add("TARGET_INFO_SESSION_START_TIME", {"utcEpochNs": 1_700_000_000 * 10**9})
        times = {"duration": machine.now, "startTime": 0, "stopTime": machine.now}
        tables.add("ANALYSIS_DETAILS", {"globalVid": 1 << 48, **times})
        for name, value in EXPORT.items():
            tables.add("META_DATA_EXPORT", {"name": name, "value": value})
        for text, number in strings.ids.items():
            tables.add("StringIds", {"id": number, "value": text})
        tables.flush()
        connection.execute("COMMIT")
    print(f"{options.output}: {machine.kernels:,} kernels, {options.output.stat().st_size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()

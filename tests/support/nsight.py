"""Inline Nsight Systems exports, written row by row into the tables of a real one. Times are nanoseconds."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracer.trace.columns import Trace, Want
from tracer.trace.reader import read_trace

PID, MAIN, OTHER = 100, 100, 101
VM = 1 << 48


def global_tid(thread: int = MAIN, pid: int = PID) -> int:
    return VM | pid << 24 | thread


class Export:
    """Rows for the tables of an export; a table exists once it has a row."""

    def __init__(self) -> None:
        self._rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._strings: dict[str, int] = {}
        self._rows["META_DATA_EXPORT"].append({"name": "EXPORT_PRODUCT_VERSION", "value": "2023.4.4.54"})
        self.string("cudaLaunchKernel_v7000")  # the table of strings is always there, and its first id is 0

    def string(self, text: str) -> int:
        if text not in self._strings:
            self._strings[text] = len(self._strings)
            self.row("StringIds", id=self._strings[text], value=text)
        return self._strings[text]

    def row(self, table: str, **columns: Any) -> Export:
        self._rows[table].append(columns)
        return self

    def _op(self, table: str, start: int, end: int, correlation: int | None, pid: int = PID, **more: Any) -> Export:
        where = {"deviceId": 0, "contextId": 1, "streamId": 7, "globalPid": global_tid(0, pid)}
        return self.row(table, start=start, end=end, **(where | {"correlationId": correlation} | more))

    def kernel(self, name: str, start: int, end: int, correlation: int | None = None, **more: Any) -> Export:
        name_id = self.string(name)
        names = {"demangledName": name_id, "shortName": name_id}
        return self._op("CUPTI_ACTIVITY_KIND_KERNEL", start, end, correlation, **(names | more))

    def copy(self, start: int, end: int, correlation: int | None = None, **more: Any) -> Export:
        what = {"copyKind": 1, "srcKind": 0, "dstKind": 2, "bytes": 64}
        return self._op("CUPTI_ACTIVITY_KIND_MEMCPY", start, end, correlation, **(what | more))

    def fill(self, start: int, end: int, correlation: int | None = None, **more: Any) -> Export:
        return self._op("CUPTI_ACTIVITY_KIND_MEMSET", start, end, correlation, **({"memKind": 2, "bytes": 8} | more))

    def graph(self, start: int, end: int, correlation: int | None = None, **more: Any) -> Export:
        return self._op("CUPTI_ACTIVITY_KIND_GRAPH_TRACE", start, end, correlation, **({"graphId": 3} | more))

    def call(
        self, start: int, end: int, correlation: int, name: str = "cudaLaunchKernel_v7000", thread: int = MAIN,
        pid: int = PID,
    ) -> Export:  # fmt: skip
        return self.row(
            "CUPTI_ACTIVITY_KIND_RUNTIME", start=start, end=end, eventClass=0, globalTid=global_tid(thread, pid),
            correlationId=correlation, nameId=self.string(name), returnValue=0,
        )  # fmt: skip

    def nvtx(self, kind: int, start: int, end: int | None, text: str | None = None, **more: Any) -> Export:
        columns = {"globalTid": global_tid(), "endGlobalTid": None, "textId": None, "domainId": 0}
        return self.row("NVTX_EVENTS", start=start, end=end, eventType=kind, text=text, **(columns | more))

    def span(self, name: str, start: int, end: int | None, thread: int = MAIN, pid: int = PID, **more: Any) -> Export:
        return self.nvtx(59, start, end, name, globalTid=global_tid(thread, pid), **more)

    def write(self, path: Path) -> Path:
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            for table, rows in self._rows.items():
                columns = list({column: None for row in rows for column in row})
                declared = [f"{column} INTEGER PRIMARY KEY" if column == "id" else column for column in columns]
                connection.execute(f"CREATE TABLE {table} ({', '.join(declared)})")
                marks = ", ".join("?" * len(columns))
                values = [[row.get(column) for column in columns] for row in rows]
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
        connection.close()
        return path

    def trace(self, **options: Any) -> Trace:
        with tempfile.TemporaryDirectory() as folder:
            path = self.write(Path(folder, "export.sqlite"))
            return replace(read_trace(path, Want.SUMMARY, **options), path="inline.sqlite")

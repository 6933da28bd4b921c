"""Inline Chrome traces, written as a small table of events. Times are microseconds."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracer.trace.columns import Trace, Want
from tracer.trace.reader import read_trace

Event = dict[str, Any]
MAIN, OTHER = 1, 2


def kernel(name: str, ts: float, dur: float, correlation: int | None = None, **more: Any) -> Event:
    device, stream = more.pop("device", 0), more.pop("stream", 7)
    args = {"device": device, "stream": stream, **more.pop("args", {})}
    if correlation is not None:
        args["correlation"] = correlation
    category = more.pop("cat", "kernel")
    return _complete(category, name, ts, dur, pid=device, tid=stream, args=args)


def call(name: str, ts: float, dur: float, correlation: int = 0, tid: int = MAIN) -> Event:
    return _complete("cuda_runtime", name, ts, dur, pid=100, tid=tid, args={"correlation": correlation})


def launch(ts: float, dur: float, correlation: int, tid: int = MAIN) -> Event:
    return call("cudaLaunchKernel", ts, dur, correlation, tid)


def span(name: str, ts: float, dur: float, tid: int = MAIN) -> Event:
    return _complete("user_annotation", name, ts, dur, pid=100, tid=tid)


def operator(name: str, ts: float, dur: float, tid: int = MAIN, **args: Any) -> Event:
    return _complete("cpu_op", name, ts, dur, pid=100, tid=tid, args=args)


def capture(ts: float, dur: float) -> Event:
    return _complete("Trace", "PyTorch Profiler (0)", ts, dur, pid="Spans", tid="PyTorch Profiler")


def _complete(category: str, name: str, ts: float, dur: float, **rest: Any) -> Event:
    return {"ph": "X", "cat": category, "name": name, "ts": ts, "dur": dur, **rest}


def document(*events: Event, **metadata: Any) -> bytes:
    return json.dumps({"schemaVersion": 1, **metadata, "traceEvents": list(events)}).encode()


EVERYTHING = Want.SUMMARY | Want.CPU_OPS | Want.MODULES | Want.DETAILS


def trace_of(*events: Event, **metadata: Any) -> Trace:
    return read_bytes(document(*events, **metadata))


def read_bytes(data: bytes, want: Want = EVERYTHING, **options: Any) -> Trace:
    """Read a trace from memory, by the path that a file takes."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return replace(read_trace(file.name, want, **options), path="inline.json")


def write(path: Path, *events: Event, **metadata: Any) -> Path:
    path.write_bytes(document(*events, **metadata))
    return path


def frame(name: str, ts: float, dur: float, tid: int = MAIN) -> Event:
    return _complete(
        "python_function", name, ts, dur, pid=100, tid=tid, args={"Python id": 1, "Python parent id": None}
    )


def module(name: str, ts: float, dur: float, tid: int = MAIN) -> Event:
    return _complete("python_function", f"nn.Module: {name}", ts, dur, pid=100, tid=tid)

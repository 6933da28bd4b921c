"""Experiments on a GPU about what a trace can and can't tell; each writes a trace and what was measured by hand.

    python benchmarks/gpu_suspects.py OUT_FOLDER [NAME ...]

- frees: do cudaFree, cudaFreeHost and cudaMalloc wait for the device? A kernel of known length runs meanwhile.
- branches: on which streams do the parallel branches of a replayed graph appear, and do they overlap there?
- side_stream: a stage that leaves work on a side stream which nobody joins, timed by events on the current stream.
- tf32: float32 matrix products with TF32 allowed, beside those without.
- events: what a device event costs that is waited for by the host.

A figure is nanoseconds unless its name says otherwise. Every result is written as soon as it is known.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

if TYPE_CHECKING:
    from collections.abc import Callable

# About 20 ms at the clocks of an H100; the trace says how long it really was.
SLEEP_CYCLES = 30_000_000


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    chosen = sys.argv[2:] or list(EXPERIMENTS)
    print(torch.__version__, torch.version.cuda, torch.cuda.get_device_name())
    for name in chosen:
        torch.cuda.synchronize()
        try:
            found = EXPERIMENTS[name](folder)
        except Exception as error:  # the others still say something
            found = {"failed": f"{type(error).__name__}: {error}"}
        (folder / f"{name}.found.json").write_text(json.dumps(found, indent=1))
        print(name, json.dumps(found))


def traced(folder: Path, name: str, work: Callable[[], Any]) -> None:
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        work()
        torch.cuda.synchronize()
    profiler.export_chrome_trace(str(folder / f"{name}.json.gz"))


def frees(folder: Path) -> dict[str, int]:
    """The host's time in each call while a long kernel runs, and while none does."""
    runtime = ctypes.CDLL("libcudart.so.13" if str(torch.version.cuda).startswith("13") else "libcudart.so.12")
    device, host = ctypes.c_void_p(), ctypes.c_void_p()
    size = ctypes.c_size_t(64 << 20)

    def busy() -> None:
        torch.cuda._sleep(SLEEP_CYCLES)

    def idle() -> None:
        torch.cuda.synchronize()

    calls: dict[str, Callable[[], Any]] = {
        "cudaMalloc": lambda: runtime.cudaMalloc(ctypes.byref(device), size),
        "cudaFree": lambda: runtime.cudaFree(device),
        "cudaHostAlloc": lambda: runtime.cudaHostAlloc(ctypes.byref(host), size, ctypes.c_uint(0)),
        "cudaFreeHost": lambda: runtime.cudaFreeHost(host),
    }
    found: dict[str, int] = {}

    def each(when: str, before: Callable[[], None]) -> None:
        for name, call in calls.items():
            before()
            start = time.perf_counter_ns()
            code = call()
            found[f"{name} {when}"] = time.perf_counter_ns() - start
            found[f"{name} {when} code"] = int(code)
            torch.cuda.synchronize()

    each("idle (first)", idle)
    each("idle", idle)
    traced(folder, "frees", lambda: each("busy", busy))
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    busy()
    end.record()
    end.synchronize()
    found["kernel"] = round(start.elapsed_time(end) * 1e6)
    return found


def branches(folder: Path) -> dict[str, Any]:
    """Two branches that fork and join inside a captured graph."""
    left, right = (torch.randn(4096, 4096, device="cuda") for _ in range(2))
    side = torch.cuda.Stream()
    graph = torch.cuda.CUDAGraph()

    def work() -> None:
        here = torch.cuda.current_stream()
        side.wait_stream(here)
        with torch.cuda.stream(side):
            for _ in range(8):
                right.mul_(1.0001)
        for _ in range(8):
            left.mul_(1.0001)
        here.wait_stream(side)

    warm = torch.cuda.Stream()
    with torch.cuda.stream(warm):
        work()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        work()

    def replays() -> None:
        for step in range(1, 6):
            with record_function(f"tracer/decode#{step}"):
                graph.replay()

    traced(folder, "branches", replays)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    graph.replay()
    end.record()
    end.synchronize()
    return {"replay": round(start.elapsed_time(end) * 1e6)}


def side_stream(folder: Path) -> dict[str, Any]:
    """Events on the current stream see nothing of a kernel on another."""
    side = torch.cuda.Stream()

    def stage() -> None:
        with torch.cuda.stream(side):
            torch.cuda._sleep(SLEEP_CYCLES)

    def timed() -> int:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        stage()
        end.record()
        torch.cuda.synchronize()
        return round(start.elapsed_time(end) * 1e6)

    timed()
    found = {"events on the current stream": timed()}
    start = time.perf_counter_ns()
    stage()
    torch.cuda.synchronize()
    found["host clock with synchronize"] = time.perf_counter_ns() - start

    def marked() -> None:
        with record_function("tracer/vision"):
            stage()

    traced(folder, "side_stream", marked)
    return found


def tf32(folder: Path) -> dict[str, Any]:
    """The rate of a float32 product with and without TF32."""
    side = 8192
    left, right = (torch.randn(side, side, device="cuda") for _ in range(2))
    found = {}
    for allowed in (False, True):
        torch.backends.cuda.matmul.allow_tf32 = allowed
        for _ in range(3):
            left @ right
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(10):
            left @ right
        end.record()
        end.synchronize()
        found[f"allow_tf32={allowed} TFLOP/s"] = 2 * side**3 * 10 / (start.elapsed_time(end) * 1e-3) / 1e12
        traced(folder, f"tf32_{allowed}", lambda: left @ right)
    torch.backends.cuda.matmul.allow_tf32 = False
    return found


def events(_: Path) -> dict[str, Any]:
    """The least time that two events apart show, and what one costs the host."""
    pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(50)]
    start = time.perf_counter_ns()
    for first, second in pairs:
        first.record()
        second.record()
    host = (time.perf_counter_ns() - start) / 100
    torch.cuda.synchronize()
    return {"between two events": sorted(round(a.elapsed_time(b) * 1e6) for a, b in pairs)[25], "host, each": host}


EXPERIMENTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "frees": frees, "branches": branches, "side_stream": side_stream, "tf32": tf32, "events": events,
}  # fmt: skip


if __name__ == "__main__":
    main()

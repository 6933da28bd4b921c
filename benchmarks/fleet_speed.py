"""How fast `tracer fleet` reads many traces, with one worker and with two, and what it takes of memory.

    python benchmarks/fleet_speed.py --traces 300 --megabytes 20 --output benchmarks/results/fleet_speed.json

Traces are made of a real one (`multiply_trace.py`); each has the same events and a number of its own in its metadata,
so that no two have the same bytes. Every process's memory is sampled ten times a second: of the workers, and of the
process that has the scheduler in it. Prints and writes each result as it comes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from multiply_trace import pieces, read

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "tests/data/kineto_b200_vllm_eager.json.gz"
SAMPLE_S = 0.1


def make_traces(folder: Path, count: int, megabytes: float) -> None:
    """So many files of one text, each with another number behind its events."""
    text = "".join(pieces(read(SOURCE), int(megabytes * 1e6))).rstrip().removesuffix("}").rstrip().encode()
    for number in range(count):
        (folder / f"{number:05}.json").write_bytes(text + b',\n  "copy": %d\n}\n' % number)


def run(traces: Path, store: Path, workers: int, limit_mb: int) -> dict[str, Any]:
    """Fill an empty store; seconds, processor seconds and peaks of memory."""
    shutil.rmtree(store, ignore_errors=True)
    arguments = ["fleet", traces, "--store", store, "--workers", workers, "--worker-memory", limit_mb]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tracer", *map(str, arguments)], stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    asking = psutil.Process(process.pid)
    peaks: dict[int, int] = {}
    spent: dict[int, float] = {}
    while process.poll() is None:
        for one in [asking, *_children(asking)]:
            try:
                peaks[one.pid] = max(peaks.get(one.pid, 0), one.memory_info().rss)
                times = one.cpu_times()
                spent[one.pid] = times.user + times.system
            except psutil.Error:
                continue
        time.sleep(SAMPLE_S)
    seconds = time.perf_counter() - began
    output = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"tracer fleet failed: {output}")
    main = peaks.pop(process.pid)
    return {
        "workers": workers,
        "seconds": round(seconds, 2),
        "processor_seconds": round(sum(spent.values()), 1),
        "worker_peak_mb": round(max(peaks.values()) / 1e6) if peaks else None,
        "scheduler_peak_mb": round(main / 1e6),
        "store_bytes": sum(path.stat().st_size for path in store.rglob("*.parquet")),
        "said": output.splitlines()[0],
    }


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def costs(store: Path) -> dict[str, Any]:
    """What a trace took, by the store's own rows."""
    from tracer.fleet.question import select
    from tracer.fleet.store import opened

    (row,) = select(
        opened(store), "select count(*) as n, avg(read_ns) as read_ns, avg(size_bytes) as size from runs"
    ).to_pylist()
    began = time.process_time()
    select(opened(store), "select stage, count(*), median(busy_ns) from stages group by stage")
    asked = time.process_time() - began
    return {
        "traces": row["n"],
        "read_ns": round(row["read_ns"]),
        "size_bytes": round(row["size"]),
        "question_s": round(asked, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--traces", type=int, default=300)
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--worker-memory", type=int, default=667)
    parser.add_argument("--folder", type=Path, help="on the disk to use [default: a temporary one]")
    parser.add_argument("--output", type=Path, help="JSON; written anew after each part")
    options = parser.parse_args()
    load = os.getloadavg()
    results: dict[str, Any] = {
        "machine": {"python": platform.python_version(), "cores": os.cpu_count(), "load_before": round(load[0], 2)},
        "traces": options.traces, "megabytes": options.megabytes, "runs": [],
    }  # fmt: skip

    def keep() -> None:
        if options.output:
            options.output.write_text(json.dumps(results, indent=2) + "\n")

    with tempfile.TemporaryDirectory(prefix="fleet-", dir=options.folder) as name:
        traces, store = Path(name, "traces"), Path(name, "store")
        traces.mkdir()
        make_traces(traces, options.traces, options.megabytes)
        for workers in (1, 2):
            results["runs"].append(run(traces, store, workers, options.worker_memory))
            print(json.dumps(results["runs"][-1]), flush=True)
            keep()
        first, second = (one["seconds"] for one in results["runs"])
        results["times_faster"] = round(first / second, 2)
        again = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "tracer", "fleet", traces, "--store", store, "--workers", "2"],
            check=True, stdout=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        results["again_seconds"] = round(time.perf_counter() - again, 2)
        results["cost"] = costs(store)
        print(json.dumps({key: results[key] for key in ("times_faster", "again_seconds", "cost")}), flush=True)
        keep()


if __name__ == "__main__":
    main()

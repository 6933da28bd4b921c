"""How fast `tracer fleet` reads many traces, with one worker and with two, and what it takes of memory.

    python benchmarks/fleet_speed.py --traces 300 --megabytes 20 --output benchmarks/results/fleet_speed.json

Traces are made of a real one (`multiply_trace.py`); each has the same events and a number of its own in its metadata,
so that no two have the same bytes. Every process's memory is sampled ten times a second: of the workers, and of the
process that has the scheduler in it. Prints and writes each result as it comes. Seconds are a speed only where nobody
else used the processors meanwhile, which is measured too.
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
# Of others' work more than this, on the average, and how long it took says how busy the machine was.
QUIET_CORES = 0.1


def make_traces(folder: Path, count: int, megabytes: float) -> None:
    """So many files of one text, each with another number behind its events."""
    text = "".join(pieces(read(SOURCE), int(megabytes * 1e6))).rstrip().removesuffix("}").rstrip().encode()
    for number in range(count):
        (folder / f"{number:05}.json").write_bytes(text + b',\n  "copy": %d\n}\n' % number)


def run(traces: Path, store: Path, workers: int, limit_mb: int) -> dict[str, Any]:
    """Fill an empty store; seconds, processor seconds and peaks of memory."""
    shutil.rmtree(store, ignore_errors=True)
    arguments = ["fleet", traces, "--store", store, "--workers", workers, "--worker-memory", limit_mb]
    began, busy_s = time.perf_counter(), _busy_s() - time.process_time()
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
    seconds, busy_s = time.perf_counter() - began, _busy_s() - time.process_time() - busy_s
    output = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"tracer fleet failed: {output}")
    main, own = peaks.pop(process.pid), spent.get(process.pid, 0.0)
    return {
        "workers": workers,
        "seconds": round(seconds, 2),
        "processor_seconds": round(sum(spent.values()), 1),
        "cores_of_others": round(max(0.0, busy_s - sum(spent.values())) / seconds, 2),
        "scheduler_processor_seconds": round(own, 2),
        "worker_peak_mb": round(max(peaks.values()) / 1e6) if peaks else None,
        "scheduler_peak_mb": round(main / 1e6),
        "store_bytes": sum(path.stat().st_size for path in store.rglob("*.parquet")),
        "said": output.splitlines()[0],
    }


def _busy_s() -> float:
    """Seconds in which the processors worked, for whomever, or a host had taken them away."""
    times = psutil.cpu_times()
    return sum(getattr(times, kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq", "steal"))


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def costs(store: Path) -> dict[str, Any]:
    """What a trace took, by the store's own rows."""
    from tracer.fleet.merge import merge
    from tracer.fleet.question import select
    from tracer.fleet.store import opened

    (row,) = select(
        opened(store), "select count(*) as n, avg(read_ns) as read_ns, avg(size_bytes) as size from runs"
    ).to_pylist()
    asked = _asked(store)
    began = time.process_time()
    for day in opened(store).days():
        merge(opened(store), day)
    merging = time.process_time() - began
    return {
        "traces": row["n"],
        "read_ns": round(row["read_ns"]),
        "size_bytes": round(row["size"]),
        "question_s": round(asked, 3),
        "merge_s": round(merging, 3),
        "question_merged_s": round(_asked(store), 3),
        "merged_bytes": sum(path.stat().st_size for path in store.rglob("*.parquet")),
    }


def _asked(store: Path) -> float:
    """Processor seconds of one question to a store."""
    from tracer.fleet.question import select
    from tracer.fleet.store import opened

    began = time.process_time()
    select(opened(store), "select stage, count(*), median(busy_ns) from stages group by stage")
    return time.process_time() - began


DAY_S, PER_DAY = 86_400, 1_000_000


BUSY = (
    "**Others used the processors meanwhile: seconds are no speed of tracer's here, nor is it known how much faster\n"
    "two workers are than one.** Processor seconds are its own, though more than on a quiet machine."
)


def in_words(results: dict[str, Any]) -> str:
    """The results, and what a million traces a day would take by them, as Markdown."""
    one, two = results["runs"]
    cost, machine = results["cost"], results["machine"]
    each_s = two["processor_seconds"] / results["traces"]
    scheduler_s = two["scheduler_processor_seconds"] / results["traces"]
    store_bytes, merged_bytes = two["store_bytes"] / results["traces"], cost["merged_bytes"] / results["traces"]
    size = cost["size_bytes"]
    again_s, asked_s, merged_s = results["again_seconds"], cost["question_s"], cost["question_merged_s"]
    flatter = "Merged bytes flatter: the traces here are copies, whose names repeat."
    read_cores, scheduler_cores = PER_DAY * each_s / DAY_S, PER_DAY * scheduler_s / DAY_S
    memory_gb = read_cores * two["worker_peak_mb"] / 1e3
    merge_ms = cost["merge_s"] / results["traces"] * 1e3
    quiet = max(run["cores_of_others"] for run in results["runs"]) <= QUIET_CORES
    speed = f"Two workers are {results['times_faster']} times as fast as one." if quiet else BUSY
    return f"""# Fleets: speed, memory, and a million traces a day

Written by `python benchmarks/fleet_speed.py --output benchmarks/results/fleet_speed.json`:
{results["traces"]} traces of {size / 1e6:.1f} MB each (`{SOURCE.name}`, multiplied), on {machine["cores"]} cores,
Python {machine["python"]}.

| workers | seconds | processor seconds | cores of others | peak of a worker | peak of the process with the scheduler |
|---|---|---|---|---|---|
{_row(one)}
{_row(two)}

{speed} Running it again, with every trace in the store, takes
{again_s} s. A question over stages takes {asked_s} s of processor time, and {merged_s} s once the store is merged,
which takes {cost["merge_s"]} s.

## A million traces a day, on paper

By these figures (of two workers, starting included), and by nothing else: no such run was made.
N = {PER_DAY:,} traces a day of the size above.

| what | formula | result |
|---|---|---|
| rate | N / 86,400 s | {PER_DAY / DAY_S:.1f} traces a second |
| cores that read | N x {each_s:.2f} s / 86,400 s | {read_cores:.1f}, all of the time |
| the process that hands out | N x {scheduler_s * 1e3:.0f} ms / 86,400 s | {scheduler_cores:.2f} cores |
| memory of workers | a worker a core x {two["worker_peak_mb"]} MB | {memory_gb:.1f} GB |
| bytes read | N x {size / 1e6:.1f} MB | {PER_DAY * size / 1e12:.1f} TB, {PER_DAY * size / DAY_S / 1e6:.0f} MB/s |
| store, as written | N x {store_bytes / 1e3:.1f} KB, 5 N files | {PER_DAY * store_bytes / 1e9:.1f} GB |
| store, merged | N x {merged_bytes / 1e3:.2f} KB, 5 files a day | {PER_DAY * merged_bytes / 1e9:.2f} GB |
| merging | N x {merge_ms:.1f} ms | {PER_DAY * merge_ms / 3.6e6:.2f} core hours |

{flatter} What grows with N and was not tried: one folder of a
million sets (read a part of a day at a time, and merge in between), and one scheduler (each day may have several: a
trace's place in the store depends on nothing but itself).
"""


def _row(run: dict[str, Any]) -> str:
    peaks = f"{run['worker_peak_mb']} MB | {run['scheduler_peak_mb']} MB"
    cells = (run[key] for key in ("workers", "seconds", "processor_seconds", "cores_of_others"))
    return f"| {' | '.join(map(str, cells))} | {peaks} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--traces", type=int, default=300)
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--worker-memory", type=int, default=667)
    parser.add_argument("--folder", type=Path, help="on the disk to use [default: a temporary one]")
    parser.add_argument("--output", type=Path, help="JSON; written anew after each part")
    options = parser.parse_args()
    results: dict[str, Any] = {
        "machine": {"python": platform.python_version(), "cores": os.cpu_count()},
        "traces": options.traces, "megabytes": options.megabytes, "runs": [],
    }  # fmt: skip

    def keep() -> None:
        if options.output:
            options.output.write_text(json.dumps(results, indent=2) + "\n")
            if "cost" in results:
                options.output.with_suffix(".md").write_text(in_words(results))

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

"""HolisticTraceAnalysis' answers beside ours: kernel time per name, busy and idle time of the GPU, for every trace.

    python benchmarks/compare_answers.py --hta PYTHON_WITH_HTA [FOLDER ...]

HTA defines some things differently. Its definitions are applied here, one after another, to the columns that tracer
reads; what each of them changes is the explanation of the difference, and with all of them applied HTA's own numbers
must come out, exactly. What is then left over is printed as unexplained. Results go to benchmarks/results/answers.json
and answers.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tracer.arrays import int64
from tracer.charge.intervals import Cover
from tracer.summarize import summarize
from tracer.trace.chrome.categories import OP_KINDS
from tracer.trace.columns import NO_CORRELATION, Trace, Want
from tracer.trace.reader import read_trace

HERE = Path(__file__).parent
DATA = HERE.parent / "tests/data"
PEER = HERE / "peers/hta_answers.py"
# Both tools add up the same microseconds in another order, as doubles in HTA.
SAME_US = 0.001
NAMES_LEFT_OUT = re.compile(r".*Sync")

STEPS = {
    "captures": "time between the recordings that one file joins counted as idle",
    "unlaunched": "ops without a host event of the same correlation left out, others counted once for each such event "
    "(HTA does so where a trace has two ProfilerSteps or more)",
    "one timeline": "several devices drawn on one timeline",
    "not work": "host and synchronisation events that have a `stream` argument counted as work on the GPU",
    "names": "events named `...Sync...` left out of the kernel table",
    "microseconds": "starts rounded up and ends rounded down to whole microseconds",
    "doubles": "absolute microseconds held in doubles",
}


@dataclass(frozen=True, slots=True)
class Work:
    """What counts as work on a GPU: names, devices, and times in integer nanoseconds."""

    name: np.ndarray[Any, np.dtype[np.object_]]
    device: np.ndarray[Any, np.dtype[np.int64]]
    start_ns: np.ndarray[Any, np.dtype[np.int64]]
    end_ns: np.ndarray[Any, np.dtype[np.int64]]

    def rows(self, chosen: Any) -> Work:
        return Work(self.name[chosen], self.device[chosen], self.start_ns[chosen], self.end_ns[chosen])


@dataclass(frozen=True, slots=True)
class Answer:
    """Microseconds: time per name, time in which anything ran, and from the first start to the last end."""

    kernels: dict[str, float]
    busy: float
    window: float

    @property
    def total(self) -> float:
        return math.fsum(self.kernels.values())

    @property
    def idle(self) -> float:
        return self.window - self.busy


def device_work(trace: Trace) -> Work:
    """The device ops that tracer reads."""
    names = np.array([trace.strings[name] for name in trace.ops.name.tolist()], dtype=object)
    return Work(names, trace.ops.device, trace.ops.start_ns, trace.ops.end_ns)


def ours(trace: Trace) -> Answer:
    """What `tracer summarize` says; time per name, which it gives by stage, is added up here."""
    device = summarize(trace).device
    found = answer(device_work(trace))
    assert round(found.total * 1000) == device.time_ns
    return replace(found, busy=device.busy_ns / 1000, window=(device.busy_ns + device.idle_ns) / 1000)


def answer(work: Work) -> Answer:
    """Integer nanoseconds; each device's busy time and window by itself."""
    duration_ns, busy_ns, window_ns = work.end_ns - work.start_ns, 0, 0
    for device in np.unique(work.device).tolist():
        rows = work.rows(work.device == device)
        busy_ns += Cover.of(rows.start_ns, rows.end_ns).length_ns
        window_ns += int(rows.end_ns.max() - rows.start_ns.min())
    kernels: Counter[str] = Counter()
    for name, time in zip(work.name.tolist(), duration_ns.tolist(), strict=True):
        kernels[name] += time
    return Answer({name: time / 1000 for name, time in kernels.items()}, busy_ns / 1000, window_ns / 1000)


def joined_to_host(trace: Trace, work: Work) -> Work:
    """HTA's inner merge of ops and host events on their correlation."""
    events = Counter(trace.calls.correlation[trace.calls.correlation != NO_CORRELATION].tolist())
    return work.rows(
        np.repeat(np.arange(len(work.name)), [events[number] for number in trace.ops.correlation.tolist()])
    )


def not_work(document: dict[str, Any]) -> Work:
    """Events that HTA takes for work on a GPU since their arguments name a stream, and tracer does not."""
    found = []
    for event in document["traceEvents"]:
        stream = (event.get("args") or {}).get("stream", -1)
        if "dur" in event and event.get("cat") not in (*OP_KINDS, None, "Trace") and _is_stream(stream):
            start, duration = (round(event[key] * 1000) for key in ("ts", "dur"))
            found.append((event["name"], start, start + duration))
    names, starts, ends = zip(*found, strict=True) if found else ((), (), ())
    return Work(np.array(names, dtype=object), int64([0] * len(found)), int64(starts), int64(ends))


def _is_stream(value: Any) -> bool:
    try:
        return int(value) != -1
    except ValueError:
        return False


def together(work: Work, more: Work) -> Work:
    return Work(*(np.concatenate([getattr(work, name), getattr(more, name)]) for name in Work.__slots__))


def as_doubles(work: Work, *, whole: bool) -> Answer:
    """HTA's arithmetic: microseconds as doubles, of which it keeps the whole ones unless it is told not to."""
    # Python divides integers exactly, which gives what a JSON parser makes of the text.
    start = np.array([time / 1000 for time in work.start_ns.tolist()])
    duration = np.array([time / 1000 for time in (work.end_ns - work.start_ns).tolist()])
    if whole:
        end = np.floor(start + duration)
        start = np.ceil(start)
        duration = end - start
    start -= start.min()
    kernels: dict[str, float] = {}
    for name in dict.fromkeys(work.name.tolist()):
        kernels[name] = math.fsum(duration[work.name == name])
    low, high = _united(start, start + duration)
    return Answer(kernels, math.fsum(high - low), float(high[-1] - low[0]))


def _united(start: Any, end: Any) -> tuple[Any, Any]:
    """HTA's union; unlike ours it keeps what rounding has made shorter than nothing."""
    order = np.argsort(start)
    start, end = start[order], end[order]
    begins = np.flatnonzero(np.concatenate([[True], start[1:] > np.maximum.accumulate(end)[:-1]]))
    return start[begins], np.maximum.reduceat(end, begins)


def by_steps(trace: Trace, document: dict[str, Any], *, whole: bool) -> list[tuple[str, Answer]]:
    """Our answer turned into HTA's, one definition after another."""
    work = device_work(trace)
    steps = [("ours", ours(trace)), ("captures", answer(work))]
    if len({event["name"] for event in document["traceEvents"] if "ProfilerStep" in str(event.get("name"))}) > 1:
        work = joined_to_host(trace, work)
        steps.append(("unlaunched", answer(work)))
    work = replace(work, device=np.zeros_like(work.device))
    steps.append(("one timeline", answer(work)))
    work = together(work, not_work(document))
    steps.append(("not work", answer(work)))
    shown = {name for name in work.name.tolist() if not NAMES_LEFT_OUT.match(name)}

    def without_names(found: Answer) -> Answer:
        return replace(found, kernels={name: time for name, time in found.kernels.items() if name in shown})

    steps.append(("names", without_names(steps[-1][1])))
    steps.append(("microseconds" if whole else "doubles", without_names(as_doubles(work, whole=whole))))
    return steps


def compared(steps: list[tuple[str, Answer]], theirs: Answer) -> dict[str, Any]:
    """The two answers, what each definition of HTA's changes, and what is left unexplained."""
    own, model = steps[0][1], steps[-1][1]
    names = model.kernels.keys() | theirs.kernels.keys()
    unexplained = [name for name in names if not _same(model.kernels.get(name, 0), theirs.kernels.get(name, 0))]
    equal = [name for name in own.kernels if _same(own.kernels[name], theirs.kernels.get(name, 0))]
    row: dict[str, Any] = {
        "names": len(own.kernels), "equal names": len(equal), "unexplained names": sorted(unexplained),
    }  # fmt: skip
    for key in ("total", "busy", "idle"):
        changes = {
            step: round(getattr(after, key) - getattr(before, key), 3) for (_, before), (step, after) in pairwise(steps)
        }
        unexplained_us = getattr(theirs, key) - getattr(model, key)
        row[key] = {
            "tracer": round(getattr(own, key), 3),
            "HTA": round(getattr(theirs, key), 3),
            "because": {step: change for step, change in changes.items() if change},
            "unexplained": 0.0 if _same(unexplained_us, 0) else unexplained_us,
        }
    return row


def _same(one: float, other: float) -> bool:
    return abs(one - other) < SAME_US


def ask_hta(python: str, trace: Path, *, whole: bool) -> Answer | str:
    """HTA's answer, or the last line of its error."""
    done = subprocess.run(
        [python, str(PEER), str(trace)], env={**os.environ, "HTA_DISABLE_NS_ROUNDING": "01"[not whole]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    found = json.loads(done.stdout)
    return Answer(found["kernels"], found["window"] - found["idle"], found["window"])


def compare(python: str, path: Path, *, whole: bool) -> dict[str, Any]:
    theirs = ask_hta(python, path, whole=whole)
    if isinstance(theirs, str):
        return {"failed": theirs}
    data = path.read_bytes()
    document = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    return compared(by_steps(read_trace(path, Want.SUMMARY), document, whole=whole), theirs)


def table(results: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| trace | names equal | | tracer µs | HTA µs | because | unexplained |",
        "|---|---|---|---|---|---|---|",
    ]
    for trace, row in results.items():
        if "failed" in row:
            lines.append(f"| {trace} | | HTA fails: `{row['failed']}` | | | | |")
            continue
        for key in ("total", "busy", "idle"):
            found = row[key]
            because = ", ".join(f"{step} {change:+,.3f}" for step, change in found["because"].items())
            head = f"| {trace} | {row['equal names']} of {row['names']} " if key == "total" else "| | "
            lines.append(
                f"{head}| {key} | {found['tracer']:,.3f} | {found['HTA']:,.3f} | {because} | {found['unexplained']} |"
            )
    return "\n".join(lines)


def report(versions: str, results: dict[str, dict[str, dict[str, Any]]]) -> str:
    meaning = "\n".join(f"- *{step}*: {words}." for step, words in STEPS.items())
    parts = [f"## {title}\n\n{table(rows)}\n" for title, rows in results.items()]
    introduction = INTRODUCTION.format(versions=versions)
    return f"# tracer's answers and HTA's\n\n{introduction}\n\n{meaning}\n\n" + "\n".join(parts)


INTRODUCTION = (
    "Kernel time added up (total), time in which anything ran (busy), and gaps in between (idle), by tracer and by "
    "{versions} with `include_memory_kernels=True` and `include_last_profiler_step=True`. HTA's definitions were "
    "applied one after another to the columns that tracer reads; each changes the number by what is said under "
    "*because*, and all of them together give HTA's number, for every name:"
)
VERSIONS = "from importlib.metadata import version as v; print(*[f'{n} {v(n)}' for n in %r], sep=', ')"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER", help="with more traces than tests/data")
    parser.add_argument("--hta", required=True, help="a Python interpreter that has HolisticTraceAnalysis 0.5")
    parser.add_argument("--output", type=Path, default=HERE / "results/answers.json")
    options = parser.parse_args()
    found = [path for folder in (DATA, *options.folders) for path in folder.glob("*.json.gz")]
    traces = sorted({path.name: path for path in found}.items())
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for title, whole in (("HTA as it is", True), ("HTA with HTA_DISABLE_NS_ROUNDING=1", False)):
        results[title] = {}
        for name, path in traces:
            results[title][name] = compare(options.hta, path, whole=whole)
            print(title, name, results[title][name], file=sys.stderr, flush=True)
    ask = [options.hta, "-c", VERSIONS % (["HolisticTraceAnalysis", "pandas"],)]
    versions = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    options.output.write_text(json.dumps({"versions": versions, "results": results}, indent=2) + "\n")
    options.output.with_suffix(".md").write_text(report(versions, results))


if __name__ == "__main__":
    main()

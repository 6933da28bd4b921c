"""Holds the names inside CUDA graphs to the same steps launched kernel by kernel, on a GPU.

python benchmarks/gpu_graph_names.py OUT [--tiny]

EventGPT decodes a few tokens in four ways: from a graph, over the same static cache without one, as transformers
does, and compiled. The kernels of a graph's steps must be those of the static steps, each of the same module. A graph's
kernels are shorter than the same launched one by one (small ones by 50 to 300 ns on an H100), so modules must take the
same device time within a hundredth at the graph's own pace: of each kernel by name all its time in the graph's steps,
divided among modules as the static steps divide theirs. Beside that: the host's layers of a run in which each is
known (as `gpu_host_layers.py` records it), and what a launch costs this host at least. Each part writes what it found
as it comes (`OUT/work/*.json`); one that fails leaves its traceback and the others go on, and all is packed at the end.
`--tiny` tries it all without a GPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from packed import pack, working_folder

if TYPE_CHECKING:
    from collections.abc import Callable

TOKENS = 9
WAYS = ("graph", "static", "eager", "compile")
WITHIN, HOST_WITHIN = 0.01, 0.05


def main(out: Path, *, tiny: bool) -> None:
    """Run all parts."""
    out = working_folder(out)
    began = time.monotonic()
    parts: dict[str, Callable[[], Any]] = {"launch_floor": lambda: floor(tiny=tiny)}
    if not tiny:
        parts["host_layers"] = lambda: host_layers(out)
    recorded = ("static", "eager") if tiny else WAYS
    for way in recorded:
        parts[f"record_{way}"] = lambda way=way: record(out, way, tiny=tiny)
        parts[f"decode_{way}"] = lambda way=way: decoded(out / f"{way}.json.gz")
    parts["equal"] = lambda: equal(out, recorded)
    for name, part in parts.items():
        try:
            found = part()
        except Exception:
            found = {"failed": traceback.format_exc()}
        (out / f"{name}.json").write_text(json.dumps(found, indent=1))
        text = found["failed"] if isinstance(found, dict) and "failed" in found else json.dumps(found)
        print(f"[{time.monotonic() - began:6.1f} s] {name}: {text[:3000]}", flush=True)
    print("packed:", *pack(out, [f"{way}.json.gz" for way in WAYS]), flush=True)


def floor(*, tiny: bool) -> dict[str, Any]:
    """What a launch costs at least; of four measurements each, to see how they differ."""
    import torch

    from tracer.recording.calibrate import launch_floor

    if tiny:
        return {"launch_ns": launch_floor(torch.device("cpu"))}
    found = [launch_floor(torch.device("cuda")) for _ in range(4)]
    return {"launch_ns": found}


def host_layers(out: Path) -> dict[str, Any]:
    """Each planted span of the host against what the trace says of it."""
    import gpu_host_layers

    from tracer.summarize import summarize_file

    gpu_host_layers.main(out / "host")
    truth = json.loads((out / "host" / "truth.json").read_text())
    summary = summarize_file(out / "host" / "host_layers.json.gz")
    stage = {one.stage: one.host for one in summary.stages}
    token = {one.index: one.host for one in summary.tokens}
    pairs = {
        "sleep_ns": (stage["vision"].python_ns, truth["sleep_ns"]),
        "dispatch_ns": (stage["prefill"].dispatch_ns + stage["prefill"].python_ns, truth["dispatch_ns"]),
        "launches_ns": (token[1].total_ns, truth["launches_ns"]),
        "sync_ns": (token[2].sync_ns, truth["sync_ns"]),
    }
    return {
        name: {"trace": one, "clock": true, "off": one / true - 1, "within": abs(one / true - 1) <= HOST_WITHIN}
        for name, (one, true) in pairs.items()
    }


def record(out: Path, way: str, *, tiny: bool) -> dict[str, Any]:
    """A recording with stacks, of one way of decoding."""
    size = ["--size", "tiny", "--device", "cpu"] if tiny else ["--size", "7b", "--device", "cuda"]
    command = [
        sys.executable, "-m", "tracer", "record", "--model", "eventgpt", *size, "--decode", way, "--max-new-tokens",
        str(TOKENS), "--requests", "2", "--warmup", "1", "--active", "1", "--no-verify", "--with-stack", "--force",
        "-o", str(out / f"{way}.json.gz"),
    ]  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, env=dict(os.environ))
    (out / f"record_{way}.txt").write_text(done.stdout + done.stderr)
    return {"exit": done.returncode, "seconds": round(time.monotonic() - began, 1), "said": done.stderr[-600:]}


def _keys(path: Path) -> tuple[list[tuple[str, str, str, str]], list[int]]:
    """Of each op of decoding its kernel, operator, class of module and layer; and how long it took."""
    from tracer.charge.work import work_of
    from tracer.choices import Choices
    from tracer.measure.ways import ways
    from tracer.summarize import charge, read
    from tracer.trace.columns import Want
    from tracer.trace.source import Source

    with Source(path) as source:
        trace = read(source, Choices(by="module"), also=Want.CPU_OPS | Want.DETAILS)
    charged = charge(trace, Choices())
    work, ranges = charged.work, charged.ranges
    assert len(work_of(trace, ranges)) == len(work)
    labels = []
    for by in ("kernel", "op", "module", "layer"):
        keys = ways()[by].keys(charged.trace, work)  # type: ignore[union-attr]
        labels.append([keys.names[number] for number in keys.number.tolist()])
    from tracer.document.names import ALL_STAGES

    decode = work.stage_code(ranges) == ALL_STAGES.index("decode")
    rows = [one for one, own in zip(zip(*labels, strict=True), decode.tolist(), strict=True) if own]
    return rows, work.time_ns[decode].tolist()


def decoded(path: Path) -> dict[str, Any]:
    """Device time of decoding by module and by operator, and how much of it is in graphs without a name."""
    from tracer.summarize import Choices, summarize_file

    summary = summarize_file(path, Choices(by="module"))
    assert summary.breakdown is not None
    rows, times = _keys(path)
    by: dict[str, Counter[str]] = {"op": Counter(), "module": Counter(), "layer": Counter()}
    for (_, op, module, layer), time_ns in zip(rows, times, strict=True):
        for name, label in (("op", op), ("module", module), ("layer", layer)):
            by[name][label] += time_ns
    return {
        "graph_ops": summary.breakdown.graph_ops,
        "graph_ops_named": summary.breakdown.graph_ops_named,
        "abstained": [f"{one.what}: {one.reason}" for one in summary.abstained],
        "ops": len(rows),
        "time_ns": sum(times),
        **{name: dict(found.most_common(12)) for name, found in by.items()},
    }


def equal(out: Path, recorded: tuple[str, ...]) -> dict[str, Any]:
    """The first way against the others: how many kernels, by name and module, are the same, and times by module."""
    first, *others = [(way, _keys(out / f"{way}.json.gz")) for way in recorded if (out / f"{way}.json.gz").exists()]
    found: dict[str, Any] = {}
    for way, (rows, times) in others:
        kernels, same = Counter(row[0] for row in first[1][0]), Counter(row[0] for row in rows)
        alike = {name for name in kernels if kernels[name] == same[name]}
        one, other = _by_module(*first[1], alike), _by_module(rows, times, alike)
        paced = _by_module(rows, _paced(rows, times, _by_kernel(*first[1])), alike)
        placed = Counter(row[0::2][:2] for row in first[1][0] if row[0] in alike)
        theirs = Counter(row[0::2][:2] for row in rows if row[0] in alike)
        off = {module: _off(one[module], other[module]) for module in one | other}
        off_paced = {module: _off(one[module], paced[module]) for module in one | paced}
        most = sum(one.values()) or 1
        found[f"{first[0]} against {way}"] = {
            "kernels": len(kernels),
            "kernels_as_often": len(alike),
            "ops_of_these": [sum(kernels[name] for name in alike), len(first[1][0])],
            "ops_in_another_module": sum((placed - theirs).values()),
            "time_ns_by_module": {module: [one[module], other[module]] for module in one | other},
            "off_by_module": off,
            "off_at_the_first_ways_pace": off_paced,
            "worst_above_1_percent_of_time": _worst(off, one, WITHIN * most),
            "worst_at_the_first_ways_pace": _worst(off_paced, one, WITHIN * most),
        }
    return found


def _off(one: float, other: float) -> float | None:
    return one / other - 1 if other else None


def _worst(off: dict[str, float | None], time_ns: Counter[str], least_ns: float) -> float | None:
    """How far off the worst module is, of those that take so long."""
    return max(
        (abs(value) for module, value in off.items() if value is not None and time_ns[module] > least_ns), default=None
    )


def _by_kernel(rows: list[tuple[str, str, str, str]], times: list[int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for row, time_ns in zip(rows, times, strict=True):
        found[row[0]] += time_ns
    return found


def _paced(rows: list[tuple[str, str, str, str]], times: list[int], wanted: Counter[str]) -> list[int]:
    """These times, those of each kernel scaled so that together they are what is wanted of it."""
    own = _by_kernel(rows, times)
    return [round(time * wanted[row[0]] / own[row[0]]) for row, time in zip(rows, times, strict=True)]


def _by_module(rows: list[tuple[str, str, str, str]], times: list[int], alike: set[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for row, time_ns in zip(rows, times, strict=True):
        if row[0] in alike:
            found[row[2]] += time_ns
    return found


if __name__ == "__main__":
    given = [one for one in sys.argv[1:] if not one.startswith("--")]
    main(Path(given[0] if given else os.environ["OUT"]), tiny="--tiny" in sys.argv)

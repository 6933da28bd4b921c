"""Memory and energy on a GPU: what is claimed beside what is read by hand, and three systems at 7B in one table.

python benchmarks/gpu_memory_energy.py OUT [--tiny] [--seconds 480]

Each part writes `OUT/work/NAME.json` as soon as it is done, the table of systems is written after each
of them, and a part that fails leaves its traceback in `NAME.txt`; at the end all is packed. A part begins only before
`--seconds` are over, and is a process of its own: one that waited with a context of its own on the device would be
another process there. It needs nvidia-ml-py (module pynvml) for energy and no network. `--tiny` is for trying it out on
a CPU, with a counter that is made up.

- `by_hand`: a large matrix product and an idle loop: watts by the energy pass, and by reading the counter at both ends
  of six seconds.
- `reading`: what reading the allocator's counters costs, and whether latencies are the same with and without it,
  request by request in turns.
- `peaks`: peaks by stage beside `torch.cuda.max_memory_allocated` of the same stages run by hand.
- `systems`: eventgpt, llava15 and video_llava recorded with --energy; joules by stage and token, peaks, host layers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from packed import pack, working_folder

from model import registry
from model.registry import ModelOptions
from model.staged import run_request
from tracer.document.recorded_energy import DeviceState
from tracer.recording.allocator import TorchCounters, WatchedMarks
from tracer.recording.energy import find, meter
from tracer.recording.energy.loops import Patience, repeated, waited
from tracer.recording.energy.sampler import Sampler
from tracer.recording.hooks import RecorderHook
from tracer.recording.marks import Marks

if TYPE_CHECKING:
    from collections.abc import Callable

SYSTEMS = ("eventgpt", "llava15", "video_llava")
ON_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ON_GPU else "cpu")
TOKENS = 32
# The clean pass only has to say what stages take; energy has repeats of its own.
REQUESTS = ["--requests", "3", "--active", "1", "--no-verify"]
TURNS = 5


class MadeUp:
    """A counter of 100 W that changes fifty times a second, for trying this script out without a GPU."""

    source = "made up"

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def total_uj(self) -> int:
        return time.perf_counter_ns() // 20_000_000 * 20_000_000 // 10

    def state(self, during: str, request: int) -> DeviceState:
        return DeviceState(during=during, request=request)

    def close(self) -> None:
        pass


def sync() -> None:
    if ON_GPU:
        torch.cuda.synchronize()


def find_meter() -> Any:
    return find.find_meter(DEVICE) if ON_GPU else MadeUp()


def by_hand(tiny: bool) -> dict[str, Any]:
    """Watts by the pass, and by the counter's ends over a longer time, changes awaited."""
    counter = find_meter()
    if isinstance(counter, meter.NoMeter):
        return {"no counter": counter.reason, "do": counter.next_step}
    side = 8192 if ON_GPU else 256
    dtype = torch.bfloat16 if ON_GPU else torch.float32
    left, right = (torch.randn(side, side, device=DEVICE, dtype=dtype) for _ in range(2))

    def product() -> None:
        torch.mm(left, right)
        sync()

    patience = Patience(*([500_000_000, 2_000_000_000] if tiny else [3_000_000_000, 10_000_000_000]))
    for _ in range(50):
        product()
    with Sampler(counter) as sampler:
        found = repeated("product", product, sampler, patience)
    seconds = 1 if tiny else 6
    hand = hand_read(counter, product, seconds)
    sync()
    time.sleep(1)
    with Sampler(counter) as idling:
        idle_mw = waited(idling, patience)
    idle_hand = hand_read(counter, lambda: time.sleep(0.001), seconds)
    claimed = None if found.run_uj is None else found.run_uj / found.run_ns * 1000
    changes = [one.by_ns for one in sampler.changes]
    result = {
        "product": {
            "claimed_watts": claimed,
            "claimed_joules_per_run": None if found.run_uj is None else found.run_uj / 1e6,
            "interval_joules": [found.low_uj and found.low_uj / 1e6, found.high_uj and found.high_uj / 1e6],
            "hand_watts": hand["watts"],
            "hand_joules_per_run": hand["joules_per_run"],
            "runs": found.repeats,
        },
        "idle": {"claimed_watts": None if idle_mw is None else idle_mw / 1000, "hand_watts": idle_hand["watts"]},
        "reading_ms": sampler.reading_ns / 1e6,
        "update_ms": [round((b - a) / 1e6, 2) for a, b in pairwise(changes)][:60],
        "states": [
            {name: getattr(one, name) for name in one.__struct_fields__} for one in (*sampler.states, *idling.states)
        ],
    }
    counter.close()
    return result


def hand_read(meter: Any, run: Callable[[], object], seconds: float) -> dict[str, float]:
    """The counter read at both ends of a time, directly behind a change of it."""
    for _ in range(3):
        run()
    settle = time.perf_counter() + 0.5
    while time.perf_counter() < settle:
        run()
    start_ns, start_uj = time.perf_counter_ns(), meter.total_uj()
    runs = 0
    while time.perf_counter_ns() - start_ns < seconds * 1e9:
        run()
        runs += 1
    end_ns, end_uj = time.perf_counter_ns(), meter.total_uj()
    return {
        "watts": (end_uj - start_uj) / (end_ns - start_ns) * 1000,
        "joules_per_run": (end_uj - start_uj) / 1e6 / max(1, runs),
        "runs": runs,
    }


@lru_cache(maxsize=1)
def build(name: str, tiny: bool) -> Any:
    return registry.find(name).build(options_of(name, tiny))


def options_of(name: str, tiny: bool) -> ModelOptions:
    assert name in SYSTEMS
    dtype = "bfloat16" if ON_GPU and not tiny else "float32"
    tokens = 8 if tiny else TOKENS
    return ModelOptions(size="tiny" if tiny else "7b", device=str(DEVICE), dtype=dtype, new_tokens=tokens)


def reading(tiny: bool) -> dict[str, Any]:
    """What reading costs, and latencies with and without it, in turns."""
    found: dict[str, Any] = {}
    if ON_GPU:
        torch.ones(1, device=DEVICE)
        counters = TorchCounters(DEVICE)
        for name, call in (("read", counters.read), ("forget_peaks", counters.forget_peaks)):
            start = time.perf_counter_ns()
            for _ in range(2000):
                call()
            found[f"{name}_us"] = (time.perf_counter_ns() - start) / 2000 / 1000
    model = build("eventgpt", tiny)
    tokens = 8 if tiny else TOKENS
    sides: dict[str, Marks] = {
        "without": Marks(model.device, adjoining=True),
        "with": WatchedMarks(model.device, adjoining=True),
    }
    for turn in range(2 + (2 if tiny else TURNS)):
        for name in ("without", "with") if turn % 2 else ("with", "without"):
            run_request(model, 0, max_new_tokens=tokens, hook=RecorderHook(sides[name]))
    for name, marks in sides.items():
        taken = [one.latencies for one in marks.requests[2:]]
        found[name] = {
            "vision_ms": [one.vision_ns / 1e6 for one in taken],
            "prefill_ms": [one.prefill_ns / 1e6 for one in taken],
            "step_ms": [sum(one.decode_ns) / len(one.decode_ns) / 1e6 for one in taken],
            "request_ms": [(one.load_ns + one.preprocess_ns + one.vision_ns + one.prefill_ns + sum(one.decode_ns)) / 1e6
                           for one in taken],
        }  # fmt: skip
    found["median_ratio"] = {key: median(found["with"][key]) / median(found["without"][key]) for key in found["with"]}
    found["steps_read"] = [[one.index, one.requested_bytes] for one in _steps(sides["with"])]
    return found


def _steps(marks: Marks) -> list[Any]:
    memory = list(getattr(marks, "memory", {}).values())
    return memory[-1].steps if memory else []


class ByHand:
    """A hook that asks torch for the most that each stage allocated."""

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}

    def request(self) -> Any:
        from contextlib import nullcontext

        return nullcontext()

    def stage(self, stage: str, index: int | None = None) -> Any:  # noqa: ARG002
        from contextlib import contextmanager

        @contextmanager
        def around() -> Any:
            torch.cuda.reset_peak_memory_stats()
            yield
            self.peaks[stage] = max(self.peaks.get(stage, 0), torch.cuda.max_memory_allocated())

        return around()


def peaks(tiny: bool) -> dict[str, Any]:
    """Peaks by the recorder and by hand, of the same model."""
    model = build("eventgpt", tiny)
    tokens = 8 if tiny else TOKENS
    marks = WatchedMarks(model.device, adjoining=True)
    for _ in range(3):
        run_request(model, 0, max_new_tokens=tokens, hook=RecorderHook(marks))
    if not marks.memory:
        return {"no counters": "a CPU"}
    last = marks.memory[max(marks.memory)]
    hand = ByHand()
    run_request(model, 0, max_new_tokens=tokens, hook=hand)
    return {
        one.stage: {
            "recorded_peak": one.peak_bytes,
            "by_hand": hand.peaks.get(one.stage),
            "start": one.start_bytes,
            "end": one.end_bytes,
            "reserved": one.reserved_bytes,
        }
        for one in last.stages
    }


def systems(out: Path, tiny: bool, end: float) -> None:
    """Each system recorded with --energy by the command line, and summarised; the table anew after each."""
    found: dict[str, Any] = {}
    for name in SYSTEMS:
        if time.monotonic() > end:
            print(f"no time for {name}", flush=True)
            return
        try:
            found[name] = system(out, name, tiny)
        except Exception:
            (out / f"system_{name}.txt").write_text(traceback.format_exc())
            traceback.print_exc()
        (out / "systems.json").write_text(json.dumps(found, indent=1))
        table(out, found)
        print(f"{name}: {time.monotonic() - end:+.0f} s of the end", flush=True)


def system(out: Path, name: str, tiny: bool) -> dict[str, Any]:
    trace = out / f"{name}.json.gz"
    size = ["--size", "tiny", "--device", str(DEVICE)] if tiny else ["--size", "7b", "--dtype", "bfloat16"]
    tokens = ["--max-new-tokens", "8" if tiny else str(TOKENS)]
    command(out, name, "record", "--model", name, *size, *tokens, *REQUESTS, "--energy", "-o", str(trace), "--force")
    command(out, f"{name}_text", "summarize", str(trace), "--width", "140")
    text = command(out, f"{name}_json", "summarize", str(trace), "--format", "json")
    summary = json.loads(text)
    (out / f"{name}_json.txt").unlink()
    (out / f"{name}_summary.json").write_text(text)
    with_manifest = _manifest(trace)
    return {
        "energy": with_manifest.get("energy"),
        "memory": with_manifest.get("memory"),
        "latency_ns": summary["latency"]["stages_ns"],
        "tpot_ns": summary["latency"]["tpot_ns"],
        "stages": {
            stage["stage"]: {key: stage.get(key) for key in ("memory", "energy", "host")} for stage in summary["stages"]
        },
    }


def _manifest(trace: Path) -> dict[str, Any]:
    import gzip

    text = gzip.decompress(trace.read_bytes()).decode()
    return dict(json.JSONDecoder().raw_decode(text, text.index("{", 1))[0])


def command(out: Path, name: str, *words: str) -> str:
    """A command of ours, in a process of its own; what it printed."""
    done = subprocess.run([sys.executable, "-m", "tracer", *words], capture_output=True, text=True, check=False)
    (out / f"{name}.txt").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def table(out: Path, found: dict[str, Any]) -> None:
    """The systems in one table."""
    lines = ["| system | stage | ms | joules a run | interval | peak GB | host |", "|---|---|--:|--:|--|--:|--|"]
    for name, one in found.items():
        memory = {
            row["stage"]: row for request in (one["memory"] or {}).get("requests", []) for row in request["stages"]
        }
        for row in (one["energy"] or {}).get("stages", []):
            stage = row["stage"]
            joules = "–" if row["run_uj"] is None else f"{row['run_uj'] / 1e6:.3f}"
            interval = "–" if row["low_uj"] is None else f"{row['low_uj'] / 1e6:.3f} to {row['high_uj'] / 1e6:.3f}"
            peak = memory.get(stage, {}).get("peak_bytes")
            host = (one["stages"].get(stage) or {}).get("host") or {}
            layers = ", ".join(f"{k[:-3]} {v / 1e6:.1f}" for k, v in host.items() if k.endswith("_ns") and v)
            lines.append(
                f"| {name} | {stage} | {row['run_ns'] / 1e6:.2f} | {joules} | {interval} | "
                f"{'–' if peak is None else f'{peak / 1e9:.2f}'} | {layers} |"
            )
    (out / "memory_energy.md").write_text("\n".join(lines) + "\n")


def main() -> None:
    """Begin each part as long as there is time; or, in a process that was begun so, be some."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", nargs="?", default=os.environ.get("OUT", "memory_energy"))
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--part", action="append", choices=list(PARTS))
    asked = parser.parse_args()
    if asked.part:
        for name in asked.part:
            be(name, Path(asked.out), asked.tiny)
        return
    out = working_folder(Path(asked.out).resolve())
    end = time.monotonic() + asked.seconds
    begin(out, asked.tiny, end, "by_hand")
    systems(out, asked.tiny, end)
    begin(out, asked.tiny, end, "peaks", "reading")  # of one model, which takes its time to build
    print("packed:", *pack(out, ["memory_energy.md", "systems.json"]), flush=True)


def begin(out: Path, tiny: bool, end: float, *names: str) -> None:
    """Have a process do these parts, if there is time."""
    if time.monotonic() > end:
        print(f"no time for {', '.join(names)}", flush=True)
        return
    words = [word for name in names for word in ("--part", name)]
    script = [sys.executable, str(Path(__file__).resolve()), str(out), *words]
    subprocess.run([*script, *(["--tiny"] if tiny else [])], check=False)
    print(f"{', '.join(names)}: {time.monotonic() - end:+.0f} s of the end", flush=True)


def be(name: str, out: Path, tiny: bool) -> None:
    """Do a part here and write what it found, or why it failed."""
    try:
        (out / f"{name}.json").write_text(json.dumps(PARTS[name](tiny), indent=1))
    except Exception:
        (out / f"{name}.txt").write_text(traceback.format_exc())
        traceback.print_exc()


PARTS: dict[str, Callable[[bool], dict[str, Any]]] = {"by_hand": by_hand, "reading": reading, "peaks": peaks}

if __name__ == "__main__":
    main()

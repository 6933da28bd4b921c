"""What only a GPU can show of a recording, in one run: EventGPT at 7B, recorded, checked and summarised.

    python benchmarks/gpu_session.py OUT_DIR [PART ...] [batches]

Writes into OUT_DIR: the run's trace, its summary as JSON and text, and session.json with the checks. Each part is
tried by itself; one that fails is noted and does not stop the others. Without PARTs all are tried, those with Nsight
only where TRACER_SESSION_NSYS names an nsys. `batches` verifies the part `models` in batches of two as well.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = Path(sys.argv[1]).resolve()
SIZE = os.environ.get("TRACER_SESSION_SIZE", "7b")
DEVICE = os.environ.get("TRACER_SESSION_DEVICE", "cuda")
TOKENS = "64"
REPORT: dict[str, Any] = {}


def tracer(*arguments: str) -> str:
    """Run the command; return what it prints."""
    # Wherever this has changed to, the checkout's own package is meant.
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    call = [sys.executable, "-m", "tracer", *arguments]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=found)
    if done.returncode:
        raise RuntimeError(f"tracer {' '.join(arguments)}: exit {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def record(path: Path, *arguments: str) -> str:
    return tracer("record", "--size", SIZE, "--device", DEVICE, "--force", "-o", str(path), *arguments)


@contextmanager
def part(name: str) -> Iterator[dict[str, Any]]:
    """A part of the session: its findings, or why it failed, under its name."""
    found: dict[str, Any] = {}
    start = time.perf_counter()
    try:
        yield found
    except Exception:
        found["failed"] = traceback.format_exc()[-3000:]
    found["seconds"] = round(time.perf_counter() - start, 1)
    REPORT[name] = found
    (OUT / "session.json").write_text(json.dumps(REPORT, indent=2))
    print(f"== {name}: {json.dumps(found)[:1500]}", flush=True)


def machine() -> None:
    with part("machine") as found:
        import platform

        import torch
        import transformers

        found |= {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "cuda": torch.version.cuda,
            "gpu": torch.cuda.get_device_name() if DEVICE == "cuda" else None,
        }


def main_recording() -> None:
    with part("record") as found:
        run = OUT / "run.json.gz"
        nsys = ["--nsys-path", os.environ["TRACER_SESSION_NSYS"]] if "TRACER_SESSION_NSYS" in os.environ else []
        found["printed"] = record(run, "--max-new-tokens", TOKENS, "--requests", "10", *nsys).splitlines()
        found["trace_bytes"] = run.stat().st_size
        start = time.perf_counter()
        os.chdir(OUT)  # so that the reports name the file and not this machine's folders
        text = tracer("summarize", run.name)
        found["summarize_seconds"] = round(time.perf_counter() - start, 2)
        (OUT / "summary.txt").write_text(text)
        document = tracer("summarize", run.name, "--format", "json")
        (OUT / "summary.json").write_text(document)
        summary = json.loads(document)
        device, rest = summary["device"], summary["device"]["unattributed"]
        found["stages_add_up_to_the_trace"] = {
            key: sum(stage[column] for stage in summary["stages"]) + rest[key] == device[key]
            for key, column in (("time_ns", "device_time_ns"), ("busy_ns", "busy_ns"), ("idle_ns", "idle_ns"))
        }
        found["latency"] = summary["latency"]
        found["device"] = device
        print(text, flush=True)


def attribution() -> None:
    with part("attribution by launch equals time windows when synchronised") as found:
        from attribution_check import compare

        path = OUT.parent / "synced.json"
        record(path, "--max-new-tokens", "16", "--requests", "1", "--no-verify", "--sync-stages")
        found["synchronised"] = compare(str(path))
        record(path, "--max-new-tokens", "16", "--requests", "1", "--no-verify")
        found["asynchronous, for contrast"] = compare(str(path))


def coupled() -> None:
    with part("coupled") as found:
        path = OUT.parent / "coupled.json"
        record(path, "--max-new-tokens", "4", "--requests", "1", "--couple")
        summary = json.loads(tracer("summarize", str(path), "--format", "json"))
        found["findings"] = [finding for finding in summary["findings"] if finding["id"] == "vision-reencoded"]


def windows() -> None:
    with part("captures joined") as found:
        path = OUT.parent / "window.json"
        options = "--max-new-tokens 12 --requests 1 --no-verify --decode-window 4:8 --active 2 --repeat 2"
        record(path, *options.split())
        summary = json.loads(tracer("summarize", str(path), "--format", "json"))
        found["tokens"] = [(token["request"], token["index"], token["ops"]) for token in summary["tokens"]]
        found["unattributed"] = summary["device"]["unattributed"]
        found["distortion"] = summary["latency"]["distortion"]


def range_distortion() -> None:
    """How far the ranges alone, without a profiler, slow decode down: interleaved, request by request."""
    with part("range pairs") as found:
        from range_cost import pair_ns

        from model.registry import ModelOptions, find
        from model.staged import run_request
        from tracer.recording.hooks import RecorderHook
        from tracer.recording.marks import Marks
        from tracer.recording.ranged import RangedMarks
        from tracer.recording.ranges import RangeEmitter

        emitter = RangeEmitter()

        def pair(step: int) -> None:
            emitter.push("decode", step & 63)
            emitter.pop()

        found["pair_ns"] = round(pair_ns(pair))

        dtype = "bfloat16" if DEVICE == "cuda" else "float32"
        model = find("eventgpt").build(ModelOptions(size=SIZE, device=DEVICE, dtype=dtype))
        recorders = {
            "bare": Marks(model.device, adjoining=True),
            "ranged": RangedMarks(model.device, adjoining=True, emitter=emitter),
        }
        for _ in range(9):
            for recorder in recorders.values():
                run_request(model, max_new_tokens=33, hook=RecorderHook(recorder))
        for name, recorder in recorders.items():
            totals = [sum(request.latencies.decode_ns) for request in recorder.requests[1:]]
            found[f"{name}_decode_ms"] = [round(total / 1e6, 3) for total in totals]
            found[f"{name}_median_ms"] = round(statistics.median(totals) / 1e6, 3)


def nsight() -> None:
    """The report of the main recording, packed to travel; compare_recorders.py compares it with summary.json."""
    with part("nsight") as found:
        found["doctor"] = tracer("doctor", "--nsys-path", os.environ["TRACER_SESSION_NSYS"]).splitlines()
        for report in (*OUT.glob("run.qdstrm"), *OUT.glob("run.nsys-rep")):
            found[report.name] = report.stat().st_size
            subprocess.run(["xz", "-T0", "-3", "-f", report], check=True)


def decode_modes() -> None:
    """Each way of decoding: token-equal to eager, and how long a token takes."""
    for mode in ("graph", "static", "compile"):
        with part(f"decode {mode}") as found:
            path = OUT.parent / f"{mode}.json.gz"
            options = f"--decode {mode} --max-new-tokens 32 --requests 5".split()
            found["printed"] = record(path, *options).splitlines()
            summary = json.loads(tracer("summarize", str(path), "--format", "json"))
            found["tpot_ns"] = summary["latency"]["tpot_ns"]
            rows = {row["stage"]: row for row in summary["roofline"]["stages"]}
            found["decode"] = {key: rows["decode"][key] for key in ("busy_ns", "step_ns", "mbu", "limited_by")}
            found["unattributed"] = summary["device"]["unattributed"]["ops"]


def edges() -> None:
    """The shortest answers in each way of decoding, and an answer longer than the window."""
    folder = OUT.parent / "edges"
    folder.mkdir(exist_ok=True)
    for mode in ("graph", "static", "compile"):
        for tokens in ("1", "2", "3", "9"):
            with part(f"{mode}, {tokens} tokens") as found:
                options = f"--size tiny --decode {mode} --max-new-tokens {tokens} --requests 2".split()
                found["printed"] = record(folder / "short.json", *options).splitlines()
    with part("300 tokens, of which the default window holds 64 steps") as found:
        path = folder / "long.json.gz"
        found["printed"] = record(path, "--max-new-tokens", "300", "--requests", "5").splitlines()
        os.chdir(folder)
        found["text"] = tracer("summarize", path.name).splitlines()
        summary = tracer("summarize", path.name, "--format", "json")
        (OUT / "long.summary.json.gz").write_bytes(gzip.compress(summary.encode(), mtime=0))


def predictions() -> None:
    """What-if beside measurement, from a plain recording."""
    path = OUT.parent / "plain.json.gz"
    with part("plain") as found:
        found["printed"] = record(path, "--max-new-tokens", "32", "--requests", "5").splitlines()
    changes = {
        "graph decode": ["--decode", "graph"],
        "static cache": ["--decode", "static"],
        "torch.compile": ["--decode", "compile"],
        "batched frames": ["--batch-frames", "5"],
    }
    for name, option in changes.items():
        with part(f"what if {name}") as found:
            found["answer"] = json.loads(tracer("whatif", str(path), *option, "--verify", "--json"))
            found["text"] = tracer("whatif", str(path), *option).splitlines()


def models() -> None:
    """The published systems in one sitting, each verified, and again in batches of two."""
    systems = {
        "eventgpt_5_frames": ("eventgpt", []),
        "eventgpt_1_frame": ("eventgpt", ["--frames", "1"]),
        "llava15_1_image": ("llava15", []),
        "video_llava_8_frames": ("video_llava", []),
    }
    for name, (model, options) in systems.items():
        with part(f"model {name}") as found:
            path = OUT.parent / f"{name}.json.gz"
            chosen = ["--model", model, *options]
            printed = record(path, *chosen, "--max-new-tokens", TOKENS, "--requests", "20")
            found["printed"] = printed.splitlines()
            os.chdir(path.parent)  # so that the summary names the file and not this machine's folders
            summary = tracer("summarize", path.name, "--format", "json")
            (OUT / f"{name}.json.gz").write_bytes(gzip.compress(summary.encode(), mtime=0))
            found["unattributed"] = json.loads(summary)["device"]["unattributed"]["ops"]
            if "batches" not in sys.argv:
                continue
            batch = OUT.parent / "batch.json.gz"
            printed = record(batch, *chosen, *["--batch-size", "2", "--max-new-tokens", "16", "--requests", "1"])
            found["batch of 2"] = printed.splitlines()


def stacks() -> None:
    """A small trace with Python frames and shapes, for the line of a wait and operations counted from shapes."""
    with part("stacks") as found:
        options = ["--size", "tiny", "--max-new-tokens", "6", "--requests", "1", "--with-stack", "--record-shapes"]
        found["printed"] = record(OUT / "stacks.json.gz", *options).splitlines()


def own_code() -> None:
    """The examples for code of one's own, on the device."""
    folder = OUT.parent / "own"
    folder.mkdir(exist_ok=True)
    text = (ROOT / "docs/your-own-model.md").read_text()
    for name, code in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", text, re.S):
        (folder / name).write_text(code.replace('device="cpu"', f'device="{DEVICE}"'))
    on_device = (folder / "network.py").read_text().replace("return network\n", f'return network.to("{DEVICE}")\n')
    (folder / "network.py").write_text(on_device)
    answer = ["--max-new-tokens", "8", "--device", DEVICE]
    for name, call in {
        "staged": ["--model", "staged.py:build", *answer],
        "marked": ["--model", "marked.py:build", "--max-new-tokens", "8"],
        "auto": ["--auto", "--", sys.executable, "plain.py"],
    }.items():
        with part(f"own code: {name}") as found:
            os.chdir(folder)
            found["printed"] = tracer("record", "--force", "-o", f"{name}.json", *call).splitlines()
            summary = json.loads(tracer("summarize", f"{name}.json", "--format", "json"))
            found["stages"] = {row["stage"]: [row["calls"], row["ops"]] for row in summary["stages"]}
            found["unattributed"] = summary["device"]["unattributed"]["ops"]
            found["latency"] = {key: summary["latency"][key] for key in ("clock", "requests", "stages_ns", "tpot_ns")}
            found["findings"] = [finding["message"] for finding in summary["findings"]]


def calibration() -> None:
    with part("calibrate") as found:
        found["printed"] = tracer("calibrate").splitlines()


def watched_doctor() -> None:
    """What the doctor says where another profiler holds CUPTI."""
    with part("doctor under nsys") as found:
        profile = [os.environ["TRACER_SESSION_NSYS"], "profile", "--trace=cuda", "--export=none", "--sample=none"]
        doctor = [sys.executable, "-m", "tracer", "doctor"]
        done = subprocess.run(
            [*profile, "-o", OUT.parent / "watched", *doctor], capture_output=True, text=True, check=False
        )
        found["exit"], found["printed"] = done.returncode, done.stdout.splitlines()


PARTS = (
    machine, edges, main_recording, attribution, coupled, windows, range_distortion, predictions, decode_modes,
    models, own_code, stacks, calibration, nsight, watched_doctor,
)  # fmt: skip
WITH_NSYS = (nsight, watched_doctor)

if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(Path(__file__).parent))
    asked = sys.argv[2:] or [
        run_part.__name__ for run_part in PARTS if "TRACER_SESSION_NSYS" in os.environ or run_part is not nsight
    ]
    for run_part in PARTS:
        if run_part.__name__ in asked:
            run_part()

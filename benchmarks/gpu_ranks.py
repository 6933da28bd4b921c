"""Records a model divided over two GPUs, healthy and with a late rank, and says what `tracer ranks` makes of it.

python benchmarks/gpu_ranks.py OUT            two GPUs, about six minutes; after eight no part is begun
python benchmarks/gpu_ranks.py --tiny OUT     on a CPU, to try the script

Each part writes what it did into `OUT/NAME.txt` and, of all parts, `OUT/results.json`; one that fails is written down
and the others go on; at the end they are packed, `OUT/work` until then. The late rank sleeps on the host before a layer
in every forward pass, as something that a serving process does beside the model would have it: for 20 ms (`late`), and
for 4 ms (`slightly`), where a profiled step takes 90 ms on an H100. Each sleep is a range of its own in the trace, so
that how long it really was is read there, beside what `tracer ranks` says (`NAME.truth`). The traces of these parts and
of `healthy` are cut to what is read of them (`cut_ranks.py`), small enough to be kept.

What ends in the middle (`killed`: a rank by SIGKILL, `interrupted`: by Ctrl-C) is told with its exit code, what it
said, how long it took, which processes of its sessions were left, and the GPUs' memory before, while it ran and after.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cut_ranks import cut_file
from packed import pack, working_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HOME = Path(__file__).resolve().parents[1]
PAIRS = ("healthy", "late", "slightly")
KEPT = ["results.json", *(f"{name}.rank{rank}.json.gz" for name in PAIRS for rank in range(2))]
LATE = "--late-rank"
# Who sleeps, before which layer, and how long; in the trace a range of this name.
LATE_RANK, LAYER, SLEEPS_S = 1, 3, {"late": 0.020, "slightly": 0.004}
PLANTED = "planted sleep"
TRACER = [sys.executable, "-P", "-m", "tracer"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
MOST_S, ENOUGH_S = 150, 480
OWN = '''
import os
import torch
import tracer
from torch import distributed

def build():
    """Somebody's own: it divides its work itself."""
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    weights = torch.randn(1024, 1024, device=device)

    def request():
        x = torch.ones(64, 1024, device=device)
        with tracer.stage("prefill"):
            distributed.all_reduce(x @ weights)
        for index in range(1, 4):
            with tracer.stage("decode", index=index):
                distributed.all_reduce(x[:1] @ weights)

    return request
'''


class Session:
    """The parts of one run of this script, and what came of them."""

    def __init__(self, out: Path, *, tiny: bool) -> None:
        self.out = out
        self.options = ["--device", "cpu", "--size", "tiny"] if tiny else ["--device", "cuda", "--size", "7b"]
        self.options += ["--max-new-tokens", "8", "--requests", "3", "--force"]
        self.tiny = tiny
        self.begun = time.monotonic()
        self.results: dict[str, object] = {}

    def part(self, name: str, work: Callable[[], object]) -> None:
        """Do one part, write down its outcome, and go on."""
        begun = time.monotonic()
        if begun - self.begun > ENOUGH_S:
            self.results[name] = "not begun: the time was up"
            return
        try:
            outcome = work()
        except Exception:
            outcome = traceback.format_exc()
            print(outcome, flush=True)
        self.results[name] = {"seconds": round(time.monotonic() - begun, 1), "outcome": outcome}
        (self.out / "results.json").write_text(json.dumps(self.results, indent=1, default=str))
        print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)

    def say(self, name: str, command: list[str]) -> dict[str, object]:
        """Run a command, and keep all that it says in a file."""
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=MOST_S, check=False, cwd=self.out, stdin=subprocess.DEVNULL
        )
        (self.out / f"{name}.txt").write_text(f"{done.stdout}\n--- stderr\n{done.stderr}\n--- exit {done.returncode}\n")
        print(done.stdout[-3000:], done.stderr[-3000:], flush=True)
        sizes = {path.name: path.stat().st_size for path in sorted(self.out.glob(f"{name}.rank*.json.gz"))}
        return {"exit": done.returncode, "bytes": sizes, "last": done.stderr.strip().splitlines()[-3:]}

    def record(self, name: str, *more: str) -> dict[str, object]:
        """Record two ranks that the recorder starts itself."""
        command = [*TRACER, "record", "--tensor-parallel", "2", *self.options, *more]
        return self.say(name, [*command, "-o", f"{name}.json.gz"])

    def record_late(self, name: str) -> dict[str, object]:
        """Record two ranks under torchrun, of which one is late."""
        command = [*TORCHRUN, str(Path(__file__).resolve()), LATE, str(SLEEPS_S[name]), "record", *self.options]
        return self.say(name, [*command, "-o", f"{name}.json.gz"])

    def truth(self, name: str) -> dict[str, object]:
        """What was planted, by its ranges in the trace, and who is named for what."""
        said = (self.out / f"{name}.ranks.json.txt").read_text().partition("\n--- stderr\n")[0]
        found = json.loads(said)
        return {
            "planted": planted_in(self.out / f"{name}.rank{LATE_RANK}.json.gz"),
            "named": found["stragglers"],
            "last": [[step["stage"], step["index"], step["critical_rank"], step["late_ns"]] for step in found["steps"]],
            "clock": [found["clock"], found["clock_residual_ns"], found["matched"], found["collectives"]],
        }

    def ranks(self, name: str) -> dict[str, object]:
        """Lay the ranks of a recording beside each other."""
        files = [f"{name}.rank{rank}.json.gz" for rank in range(2)]
        self.say(f"{name}.ranks.json", [*TRACER, "ranks", *files, "--format", "json"])
        for file in files:
            self.say(f"{file}.summary", [*TRACER, "summarize", file, "--width", "100"])
        return self.say(f"{name}.ranks", [*TRACER, "ranks", *files, "--width", "100"])

    def end(self, name: str, how: Callable[[subprocess.Popen[str], list[int]], None]) -> dict[str, object]:
        """Begin a recording and end it in the middle; say how long everything then took to be gone."""
        command = [*TRACER, "record", "--tensor-parallel", "2", *self.options, "--no-verify", "--requests", "100000"]
        before = _gpu_memory()
        with subprocess.Popen(
            [*command, "-o", f"{name}.json.gz"],
            cwd=self.out, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as run:  # fmt: skip
            ranks = _children(run.pid, 2)
            time.sleep(4 if self.tiny else 35)  # in the clean pass by then
            during = _gpu_memory()
            begun = time.monotonic()
            how(run, ranks)
            _, said = run.communicate(timeout=60)
        seconds = time.monotonic() - begun
        left = [process for rank in ranks for process in _of_session(rank)]
        files = [path.name for path in self.out.iterdir() if path.name.lstrip(".").startswith(f"{name}.")]
        memory = {"before": before, "during": during, "at once": _gpu_memory()}
        time.sleep(2)
        memory["after 2 s"] = _gpu_memory()
        return {
            "exit": run.returncode, "said": said, "seconds": seconds, "orphans": left, "files": files,
            "gpu memory": memory,
        }  # fmt: skip


def _children(parent: int, wanted: int) -> list[int]:
    """The processes that a process started, once there are so many."""
    for _ in range(300):
        tasks = Path(f"/proc/{parent}/task").glob("*/children")
        with contextlib.suppress(OSError):
            found = [int(child) for task in tasks for child in task.read_text().split()]
            if len(found) == wanted:
                return sorted(found)
        time.sleep(0.1)
    raise RuntimeError(f"process {parent} did not start {wanted} ranks")


def _of_session(leader: int) -> list[int]:
    """The processes of a session that have not ended; each rank leads one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session, *_ = path.read_text().rpartition(")")[2].split()
            if int(session) == leader and state != "Z":
                found.append(int(path.parent.name))
    return found


def _gpu_memory() -> list[str]:
    """What is taken of each GPU's memory, and by how many processes; nothing where there is no GPU."""
    found = []
    for query in ("--query-gpu=index,memory.used", "--query-compute-apps=pid,used_memory"):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            command = ["nvidia-smi", query, "--format=csv,noheader"]
            found += subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()
    return found


def planted_in(path: Path) -> dict[str, list[float]]:
    """By stage, how many milliseconds each planted sleep in it took."""
    events: list[Any] = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    ranges = [event for event in events if event.get("cat") == "user_annotation"]
    stages = [one for one in ranges if one["name"].partition("#")[0] in ("tracer/prefill", "tracer/decode")]
    found: dict[str, list[float]] = {}
    for one in ranges:
        if one["name"] == PLANTED:
            inside = [stage for stage in stages if stage["ts"] <= one["ts"] <= stage["ts"] + stage["dur"]]
            stage = inside[0]["name"].partition("#")[0].removeprefix("tracer/") if inside else ""
            found.setdefault(stage, []).append(round(one["dur"] / 1000, 3))
    return found


def be_late(sleep_s: float, arguments: list[str]) -> None:
    """Be a rank of a recording; one of them sleeps before a layer in every pass."""
    sys.path.insert(0, str(HOME))
    from model.eventgpt import builder

    split = builder.split

    def sleep(*_: object) -> None:
        from torch.profiler import record_function

        with record_function(PLANTED):
            time.sleep(sleep_s)

    def split_and_sleep(network: object, *given: object) -> None:
        split(network, *given)  # type: ignore[arg-type]
        if int(os.environ["RANK"]) == LATE_RANK:
            layers = network.get_decoder().layers  # type: ignore[attr-defined]
            layers[min(LAYER, len(layers)) - 1].register_forward_pre_hook(sleep)

    builder.split = split_and_sleep
    from tracer.cli.main import main

    sys.argv = ["tracer", *arguments]
    main()


def run(out: Path, *, tiny: bool) -> None:
    """Make every part, the most wanted ones first."""
    out = working_folder(out.resolve())
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HOME), *filter(None, [os.environ.get("PYTHONPATH")])])
    os.environ["COLUMNS"] = "100"
    (out / "mine.py").write_text(OWN)
    session = Session(out, tiny=tiny)
    session.part("healthy", lambda: session.record("healthy"))
    session.part("healthy.ranks", lambda: session.ranks("healthy"))
    for name in SLEEPS_S:
        session.part(name, lambda name=name: session.record_late(name))  # type: ignore[misc]
        session.part(f"{name}.ranks", lambda name=name: session.ranks(name))  # type: ignore[misc]
        session.part(f"{name}.truth", lambda name=name: session.truth(name))  # type: ignore[misc]
    session.part("killed", lambda: session.end("killed", lambda _, ranks: os.kill(ranks[1], signal.SIGKILL)))
    session.part("interrupted", lambda: session.end("interrupted", lambda run, _: run.send_signal(signal.SIGINT)))
    own = [*TORCHRUN, "-m", "tracer", "record", "--model", "mine.py:build", "--force", "-o", "own.json.gz"]
    session.part("own", lambda: session.say("own", own))
    session.part("own.ranks", lambda: session.ranks("own"))
    session.part("static", lambda: session.record("static", "--decode", "static"))
    session.part("static.ranks", lambda: session.ranks("static"))
    session.part("llava15", lambda: session.record("llava15", "--model", "llava15"))
    session.part("llava15.ranks", lambda: session.ranks("llava15"))
    session.part("cut", lambda: [cut_file(out / name, out / name) for name in KEPT[1:] if (out / name).is_file()])
    print("packed:", *pack(out, KEPT), flush=True)


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == [LATE]:
        be_late(float(words[1]), words[2:])
    else:
        given = [word for word in words if word != "--tiny"]
        run(Path(given[0] if given else os.environ.get("OUT", "ranks")), tiny="--tiny" in words)

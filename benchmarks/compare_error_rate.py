"""How often `tracer compare` claims a difference where there is none, and how often it finds one that was planted.

    python benchmarks/compare_error_rate.py
    python benchmarks/compare_error_rate.py --device cuda --size 7b --no-verify --max-new-tokens 8 --requests 10 \\
        --one-process

Each of the pairs is two recordings of the same run, and a third whose stage was made slower by --plant percent of what
it took in the first: on a CPU by a busy wait at the end of the stage, on a GPU by a kernel there that spins. Any row
called slower or faster between the first two is a false claim; the planted one is found if its stage's row says slower.
Options that are not its own go to `tracer record`, such as --batch-frames, which makes vision the device's work alone.
One recording of each run claims nothing unless a tolerance is given, so the default finds nothing with --recordings 1.
With --recordings N each of the three is recorded so often, in turns, and compared by `compare --recordings N`.
By default each recording is a process of its own, as a person would make them; --one-process loads the model once.
Results go to benchmarks/results/compare_error_rate_DEVICE_SIZE.json and .md.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timing import this_machine

from tracer.compare.pairs import compare
from tracer.document.comparison import Pair
from tracer.document.summary import Summary
from tracer.summarize import summarize_file

HERE = Path(__file__).parent
METHODS = {"vision": "encode_vision", "preprocess": "prepare", "load": "load"}
# As shares; None is what compare does by itself.
TOLERANCES = (None, 0.0, 0.01, 0.03, 0.05)
CLAIMS = ("slower", "faster")


class Recorder:
    """Makes recordings in this process, over one model that can be slowed down.

    Attributes:
        plant_ns: added to each run of the stage.
    """

    def __init__(self, stage: str) -> None:
        from model import registry

        self.plant_ns = 0
        self._stage = stage
        self._models: dict[str, Any] = {}
        self._find = registry.find
        registry.find = self._entry  # type: ignore[assignment]  # what `record` asks for its model

    def record(self, arguments: list[str]) -> None:
        """Run `tracer record` with these arguments."""
        from tracer.cli.app import build_app

        with redirect_stdout(io.StringIO()):
            code = build_app(["record"])(["record", *arguments], standalone_mode=False)
        if code:
            raise RuntimeError(f"tracer record {' '.join(arguments)}: exit {code}")

    def _entry(self, name: str) -> Any:
        entry = self._find(name)

        class Slowed(type(entry)):  # type: ignore[misc]
            def build(_, options: Any) -> Any:
                return self._model(entry, options)

        return Slowed(entry.name, entry.summary, entry.sizes, entry.module, entry.folder)

    def _model(self, entry: Any, options: Any) -> Any:
        if entry.name not in self._models:
            model = entry.build(options)
            method = METHODS[self._stage]
            setattr(model, method, self._slowed(getattr(model, method), model))
            self._models[entry.name] = model
        return self._models[entry.name]

    def _slowed(self, stage: Callable[..., Any], model: Any) -> Callable[..., Any]:
        wait = _spin_on_device(model.device) if model.device.type == "cuda" else _spin_on_host

        def slowed(*arguments: Any, **more: Any) -> Any:
            result = stage(*arguments, **more)
            if self.plant_ns:
                wait(self.plant_ns)
            return result

        return slowed


def _spin_on_host(length_ns: int) -> None:
    end = time.perf_counter_ns() + length_ns
    while time.perf_counter_ns() < end:
        pass


def _spin_on_device(device: Any) -> Callable[[int], None]:
    """A kernel that spins for so long; its clock is measured first."""
    import torch

    cycles = 20_000_000
    for _ in range(2):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch.cuda.device(device):
            start.record()
            torch.cuda._sleep(cycles)
            end.record()
            end.synchronize()
    per_ns = cycles / (start.elapsed_time(end) * 1e6)
    return lambda length_ns: torch.cuda._sleep(round(length_ns * per_ns))


@dataclass(frozen=True)
class Claims:
    """What compare said of one pair.

    Attributes:
        rows: those called slower or faster, with their ratios.
        stage_ratio: of the stage that is planted in.
    """

    rows: dict[str, float]
    stage_ratio: float


def claims(pair: Pair, stage: str) -> Claims:
    rows = {
        f"{row.of} per {row.per}" if row.per else row.of: round(row.ratio or 0, 4)
        for row in pair.rows
        if row.verdict in CLAIMS
    }
    (ratio,) = [row.ratio for row in pair.rows if row.of == stage and not row.per]
    return Claims(rows, ratio or 0)


# Of a pair: the recordings of one run, as many of the same, and as many that are slower.
Runs = tuple[list[Summary], list[Summary], list[Summary]]
PLANTED = 2


def judge(pairs: list[Runs], stage: str, tolerance: float | None) -> dict[str, Any]:
    """All pairs at one tolerance."""

    def said(one: list[Summary], other: list[Summary]) -> Claims:
        (pair,) = compare([*one, *other], tolerance=tolerance, recordings=len(one)).pairs
        return claims(pair, stage)

    same = [said(one, other) for one, other, _ in pairs]
    planted = [said(one, slow) for one, _, slow in pairs]
    return {
        "tolerance": tolerance,
        "pairs": len(pairs),
        "pairs_with_false_claims": sum(bool(one.rows) for one in same),
        "false_claims": [one.rows for one in same],
        "planted_found": sum(one.rows.get(stage, 0) > 1 for one in planted),
        "planted_claims": [one.rows for one in planted],
        "same_ratios": [one.stage_ratio for one in same],
        "planted_ratios": [one.stage_ratio for one in planted],
    }


def table(results: list[dict[str, Any]], options: argparse.Namespace) -> str:
    lines = [
        f"| --tolerance | false claims | planted {options.plant:g} % found |",
        "|---|---|---|",
    ]
    for result in results:
        tolerance = "default" if result["tolerance"] is None else f"{result['tolerance']:.0%}"
        counts = (result["pairs_with_false_claims"], result["planted_found"])
        lines.append(f"| {tolerance} | " + " | ".join(f"{count}/{result['pairs']}" for count in counts) + " |")
    return "\n".join(lines)


def spread(ratios: list[float]) -> str:
    apart = [abs(ratio - 1) for ratio in ratios]
    return f"median {statistics.median(apart):.1%}, largest {max(apart):.1%}"


def planted_ns(baseline: Summary, options: argparse.Namespace) -> int:
    assert baseline.latency is not None
    return round(baseline.latency.stages_ns[options.stage] * options.plant / 100)


def record_pairs(options: argparse.Namespace, more: list[str], folder: Path) -> Iterator[Runs]:
    arguments = ["--model", options.model, "--device", options.device, "--size", options.size]
    arguments += ["--max-new-tokens", str(options.max_new_tokens), "--requests", str(options.requests)]
    arguments += [*more, "--no-verify"] if options.no_verify else more
    recorder = Recorder(options.stage) if options.one_process else None
    path = folder / "run.json"

    def one(plant_ns: int = 0) -> Summary:
        call = [*arguments, "--output", str(path), "--force"]
        if recorder is None:
            script = [sys.executable, __file__, "--stage", options.stage, "--plant-ns", str(plant_ns), "--record"]
            subprocess.run([*script, *call], check=True, stdout=subprocess.DEVNULL)
        else:
            recorder.plant_ns = plant_ns
            recorder.record(call)
        return summarize_file(path)

    for number in range(options.pairs):
        runs: Runs = ([], [], [])
        for turn in range(options.recordings):
            for place in range(3):  # each comes first, second and third in turn
                kind = (place + turn) % 3
                runs[kind].append(one(planted_ns(runs[0][0], options) if kind == PLANTED else 0))
        said = [judge([runs], options.stage, None)[key] for key in ("same_ratios", "planted_ratios")]
        print(f"pair {number + 1}: {options.stage} × {said[0][0]:.3f}, planted × {said[1][0]:.3f}", flush=True)
        yield runs


def main() -> None:
    if "--record" in sys.argv:  # one recording, in a process of its own
        given = sys.argv[1 : sys.argv.index("--record")]
        recorder = Recorder(given[given.index("--stage") + 1])
        recorder.plant_ns = int(given[given.index("--plant-ns") + 1])
        recorder.record(sys.argv[sys.argv.index("--record") + 1 :])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--model", default="eventgpt")
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-verify", action="store_true")
    parser.add_argument("--max-new-tokens", type=int, default=8)
    parser.add_argument("--requests", type=int, default=10)
    parser.add_argument("--recordings", type=int, default=1, help="of each run, in turns")
    parser.add_argument("--one-process", action="store_true", help="load the model once, for all recordings")
    parser.add_argument("--stage", choices=METHODS, default="vision", help="where the slowdown is planted")
    parser.add_argument("--plant", type=float, default=5, help="percent of the stage's median")
    parser.add_argument("--remark", default="", help="what else to know about the machine, for the results")
    parser.add_argument("--output", type=Path, help="the .json to write; a .md goes beside it")
    options, more = parser.parse_known_args()
    options.output = options.output or HERE / f"results/compare_error_rate_{options.device}_{options.size}.json"
    busy = os.getloadavg()[0]
    start = time.monotonic()
    pairs: list[Runs] = []
    with tempfile.TemporaryDirectory() as folder:
        for runs in record_pairs(options, more, Path(folder)):
            pairs.append(runs)
            # Each time anew: what was measured until here is kept, whatever happens.
            write(options, more, pairs, f"load average {busy:.1f} before and {os.getloadavg()[0]:.1f} after", start)
    print(options.output.with_suffix(".md").read_text())


def write(options: argparse.Namespace, more: list[str], pairs: list[Runs], load: str, start: float) -> None:
    results = [judge(pairs, options.stage, tolerance) for tolerance in TOLERANCES]
    run = pairs[0][0][0].run or {}
    about = (
        f"{run.get('model')} {run.get('size')}, {run.get('dtype')} on {run.get('device')} ({this_machine()}), {load}; "
        f"{len(pairs)} pairs and as many planted, {options.recordings} recordings of each run, "
        f"{options.requests} requests each, {options.max_new_tokens} tokens, {' '.join(more)}{', ' * bool(more)}"
        f"{'all in one process' if options.one_process else 'each recording a process'}; "
        f"{(time.monotonic() - start) / 60:.0f} minutes. {options.remark}"
    ).strip()
    noise = (
        f"Between two runs of the same the median of {options.stage} differs by this much: "
        f"{spread(results[0]['same_ratios'])}. With {options.plant:g} % planted, it is × "
        f"{statistics.median(results[0]['planted_ratios']):.3f} of the first (median)."
    )
    note = (
        "A false claim: any row of the pair's table called slower or faster. The stated error rate, 5 %, is that of "
        "the permutation test. With one recording of each run it knows the noise within recordings alone, and the "
        "tolerance is what is allowed for between them; with several, what happens between them is noise like other."
    )
    document = {"machine": about, "noise": noise, "note": note, "stage": options.stage, "results": results}
    options.output.write_text(json.dumps(document, indent=1) + "\n")
    text = f"# What compare claims\n\n{about}\n\n{noise}\n\n{table(results, options)}\n\n{note}\n"
    options.output.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()

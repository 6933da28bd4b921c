"""tracer beside HolisticTraceAnalysis on the same files in one sitting: wall time and peak memory, with ratios.

    python benchmarks/compare_speed.py --hta PYTHON_WITH_HTA [--peer 'NAME=COMMAND {trace}'] [--megabytes 62 1000]
    python benchmarks/compare_speed.py --files 1000MB.json 10000MB.json --output benchmarks/results/speed_10gb.json

Files are made from a real trace by multiply_trace.py, unless some are given; one also without its ranges, whose stages
its stacks tell then, and which is broken down by module and by operator too. Each command is a whole process, timed
from outside; peak memory is that of its largest process. Results go to benchmarks/results/speed.json and speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timing import median_of, this_machine

HERE = Path(__file__).parent
SOURCE = HERE.parent / "tests/data/kineto_b200_vllm_eager.json.gz"
NOTE = (
    "HTA and other peers load every category of event and offer other analyses besides; tracer decodes only what "
    "its summary needs. A ratio says how long a person waits for the first answer, not who does more."
)


def commands(options: argparse.Namespace, trace: Path) -> dict[str, tuple[list[str], int]]:
    """What is run on a trace, and how often."""
    large = trace.stat().st_size > 200e6 or trace.suffix == ".gz"
    ours = [sys.executable, "-m", "tracer", "summarize", str(trace), "--format", "json"]
    rows = {
        "tracer": (ours, options.runs),
        "tracer --jobs 1": ([*ours, "--jobs", "1"], options.runs),
        "tracer, in steps": ([sys.executable, str(HERE / "peers/tracer_breakdown.py"), str(trace)], options.runs),
    }
    if "unmarked" in trace.name:
        rows |= {f"tracer --by {way}": ([*ours, "--by", way], options.runs) for way in ("module", "op")}
    peer_runs = 1 if large else 3
    if options.hta:
        script = [options.hta, str(HERE / "peers/hta_breakdown.py"), str(trace)]
        rows["HTA 0.5 (json)"] = (script, peer_runs)
        if options.ijson:
            rows["HTA 0.5 (ijson)"] = ([*script, "ijson_batch_and_compress"], peer_runs)
    for peer in options.peer:
        name, _, command = peer.partition("=")
        rows[name] = ([part.replace("{trace}", str(trace)) for part in shlex.split(command)], peer_runs)
    return rows


def table(results: dict[str, dict[str, dict[str, Any]]]) -> str:
    lines = [
        "| file | command | wall s | processor s | load s | breakdown s | peak MB | wall / tracer | memory / tracer |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for file, rows in results.items():
        base = rows["tracer"]
        for name, row in rows.items():
            if "failed" in row:
                lines.append(f"| {file} | {name} | failed: {row['failed']} | | | | | | |")
                continue
            steps = [f"{row[key]:.2f}" if key in row else "" for key in ("load_s", "breakdown_s")]
            ratios = [f"{row[key] / base[key]:.1f}" for key in ("wall_s", "peak_mb")]
            lines.append(
                f"| {file} | {name} | {row['wall_s']:.2f} | {row['cpu_s']:.2f} | {steps[0]} | {steps[1]} "
                f"| {row['peak_mb']:.0f} "
                f"| {ratios[0]} | {ratios[1]} |"
            )
    return "\n".join(lines)


def traces(options: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """The files to measure, with a label each; made ones are removed again."""
    yield from ((path.name, path) for path in options.files)
    if options.files:
        return
    with tempfile.TemporaryDirectory() as folder:
        for megabytes in options.megabytes:
            for kind, more in ((".json", []), (".json.gz", []), (" unmarked.json", ["--unmarked"])):
                trace = Path(folder, f"{megabytes:g}MB{kind}".replace(" ", "-"))
                make = [sys.executable, str(HERE / "multiply_trace.py"), str(options.source), str(trace), *more]
                subprocess.run([*make, "--megabytes", str(megabytes)], check=True)
                yield f"{megabytes:g} MB {kind.strip()}", trace
                trace.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hta", help="a Python interpreter that has HolisticTraceAnalysis 0.5")
    parser.add_argument("--ijson", action="store_true", help="that interpreter has ijson too: try that back end")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND", help="another command")
    parser.add_argument("--megabytes", type=float, nargs="+", default=[62, 1000])
    parser.add_argument("--files", type=Path, nargs="+", default=[], help="traces to measure instead of made ones")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--source", type=Path, default=SOURCE)
    parser.add_argument("--output", type=Path, default=HERE / "results/speed.json")
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, Any]]] = {}
    busy = os.getloadavg()[0]
    for label, trace in traces(options):
        results[label] = {}
        for name, (command, runs) in commands(options, trace).items():
            results[label][name] = median_of(command, runs)
            print(label, name, results[label][name], flush=True)
    machine = f"{this_machine()}, load average {busy:.1f} before"
    document = {"machine": machine, "source": options.source.name, "note": NOTE, "results": results}
    options.output.write_text(json.dumps(document, indent=2) + "\n")
    text = f"# Speed and memory\n\n{machine}; files made from `{options.source.name}`. {NOTE}\n\n{table(results)}\n"
    options.output.with_suffix(".md").write_text(text)
    print(table(results))


if __name__ == "__main__":
    main()

"""`tracer annotate`, `slice` and `export` beside reading, on the same large files in one sitting: time and peak memory.

    python benchmarks/annotate_and_slice.py [--megabytes 1000] [--runs 5] [--folder FOLDER]

Files are made from real traces by multiply_trace.py: steps of vLLM, of which each tenth event is of a device, and of
SGLang, whose numbered decode steps a part can be asked by. On a machine that does other work as well, processor seconds
say more than the wall clock does. Results go to benchmarks/results/annotate_and_slice.json and .md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from timing import median_of, this_machine

HERE = Path(__file__).parent
DATA = HERE.parent / "tests/data"
SOURCES = {
    "vLLM, eager": DATA / "kineto_b200_vllm_eager.json.gz",
    "SGLang, graph": DATA / "kineto_mi300x_sglang_decode_graph.json.gz",
}
# At most so many times what reading takes, as the project asks of itself.
BOUNDS = {"annotate": 2.5, "slice": 1.5}
NUMBERED = "SGLang, graph"


def commands(name: str, trace: Path, folder: Path) -> dict[str, list[str]]:
    """What is run on a file, reading it first."""
    tracer = [sys.executable, "-m", "tracer"]
    out = str(folder / f"out{''.join(trace.suffixes)}")
    found = {
        "summarize": [*tracer, "summarize", str(trace), "--format", "json"],
        "annotate": [*tracer, "annotate", str(trace), "-f", "-o", out],
        "export": [*tracer, "export", str(trace), "-f", "-o", str(folder / "tables")],
    }
    if name == NUMBERED:
        found["slice"] = [*tracer, "slice", str(trace), "--tokens", "100:108", "-f", "-o", str(folder / "part.json.gz")]
    return found


def table(results: dict[str, dict[str, dict[str, Any]]]) -> str:
    lines = [
        "| file | command | wall s | processor s | peak MB | wall / reading | processor / reading | at most |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for file, rows in results.items():
        base = rows["summarize"]
        for command, row in rows.items():
            ratios = f"{row['wall_s'] / base['wall_s']:.2f} | {row['cpu_s'] / base['cpu_s']:.2f}"
            lines.append(
                f"| {file} | {command} | {row['wall_s']:.2f} | {row['cpu_s']:.2f} | {row['peak_mb']:.0f} | {ratios} | "
                f"{BOUNDS.get(command, '')} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the files are kept; a temporary one")
    parser.add_argument("--output", type=Path, default=HERE / "results/annotate_and_slice.json")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    results: dict[str, dict[str, dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for name, source in SOURCES.items():
            plain = folder / f"{source.name.partition('.')[0]}.json"
            if not plain.exists():
                script = [sys.executable, str(HERE / "multiply_trace.py"), str(source), str(plain)]
                subprocess.run([*script, "--megabytes", str(options.megabytes)], check=True)
            packed = plain.with_suffix(".json.gz")
            if not packed.exists():  # piece by piece: what is measured would begin with the memory of this process
                with plain.open("rb") as original, gzip.open(packed, "wb", 3) as file:
                    shutil.copyfileobj(original, file, 1 << 20)
            for trace in (plain, packed):
                label = f"{name}, {options.megabytes:.0f} MB {''.join(trace.suffixes)}"
                rows = commands(name, trace, folder)
                results[label] = {command: median_of(line, options.runs) for command, line in rows.items()}
                print(label, json.dumps(results[label]))
    found = {"machine": this_machine(), "load_before": load, "results": results}
    options.output.write_text(json.dumps(found, indent=1) + "\n")
    said = f"{found['machine']}, load average {load:.1f} before; medians of {options.runs} runs."
    said += " Processor seconds are those of all processes; on a machine that does other work they say more."
    options.output.with_suffix(".md").write_text(f"# Annotate and slice beside reading\n\n{said}\n\n{table(results)}\n")


if __name__ == "__main__":
    main()

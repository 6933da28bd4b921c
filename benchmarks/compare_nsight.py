"""tracer beside nsys and nsys-ai on the same Nsight exports in one sitting: wall time, CPU time, peak memory, ratios.

    python benchmarks/compare_nsight.py --nsys PATH/TO/nsys --nsys-ai PYTHON_WITH_NSYS_AI [--kernels 500000 5000000]

Exports are made by make_nsight_export.py. Each command is a whole process, timed from outside; peak memory is that of
its largest process. nsys-ai reads SQLite through an extension that DuckDB downloads once; without a network it falls
back to something slower. Results go to benchmarks/results/nsight_speed.json and nsight_speed.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from timing import measure, median_of, this_machine

HERE = Path(__file__).parent
REPORTS = "nvtx_gpu_proj_sum,nvtx_kern_sum,cuda_gpu_kern_sum"
# The skill that says how much kernel time each NVTX range has, at every depth.
SKILL = "skill run nvtx_layer_breakdown --format json --param auto_depth=false --param limit=100000"
NOTE = (
    "tracer summarises: stages, tokens, idle time by cause, findings, nsys's figures of ranges. nsys computes its "
    f"reports {REPORTS.replace(',', ', ')}; nsys-ai its skill nvtx_layer_breakdown, first building the cache that its "
    "later commands use. A ratio says how long a person waits for the answer, not who does more."
)
VERSIONS = "from importlib.metadata import version as v; print('nsys-ai', v('nsys-ai'), 'on DuckDB', v('duckdb'))"


def compare(options: argparse.Namespace, export: Path) -> dict[str, dict[str, Any]]:
    """Measure every command on an export."""
    ours = [sys.executable, "-m", "tracer", "summarize", str(export), "--format", "json"]
    rows = {
        "tracer": median_of(ours, options.runs),
        "tracer --jobs 1": median_of([*ours, "--jobs", "1"], options.runs),
    }
    if options.nsys:
        stats = [options.nsys, "stats", "-q", "--format", "csv", "-r", REPORTS, str(export)]
        rows["nsys stats"] = median_of(stats, options.peer_runs)
    if options.nsys_ai:
        skill = [options.nsys_ai, "-m", "nsys_ai", *SKILL.split(), str(export)]
        forget(export)
        rows["nsys-ai, first time"] = measure(skill) | {"runs": 1}
        rows["nsys-ai, from its cache"] = median_of(skill, options.peer_runs)
        forget(export)
    return rows


def forget(export: Path) -> None:
    """Remove nsys-ai's cache of an export."""
    for path in export.parent.glob(f"{export.stem}.nsys-cache*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def table(results: dict[str, dict[str, dict[str, Any]]]) -> str:
    lines = [
        "| export | command | wall s | CPU s | peak MB | runs | wall / tracer | memory / tracer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for export, rows in results.items():
        base = rows["tracer"]
        for name, row in rows.items():
            if "failed" in row:
                lines.append(f"| {export} | {name} | failed: {' '.join(row['failed'])} | | | | | |")
                continue
            ratios = [f"{row[key] / base[key]:.1f}" for key in ("wall_s", "peak_mb")]
            lines.append(
                f"| {export} | {name} | {row['wall_s']:.2f} | {row['cpu_s']:.2f} | {row['peak_mb']:.0f} "
                f"| {row['runs']} | {ratios[0]} | {ratios[1]} |"
            )
    return "\n".join(lines)


def versions(options: argparse.Namespace) -> str:
    """What was compared."""
    peers = [[options.nsys, "--version"]] if options.nsys else []
    peers += [[options.nsys_ai, "-c", VERSIONS]] if options.nsys_ai else []
    return "; ".join(subprocess.run(peer, capture_output=True, text=True, check=True).stdout.strip() for peer in peers)


def described(export: Path) -> str:
    with closing(sqlite3.connect(export)) as connection:
        kernels = connection.execute("SELECT count(*) FROM CUPTI_ACTIVITY_KIND_KERNEL").fetchone()[0]
    return f"{kernels / 1e6:.2f} million kernels, {export.stat().st_size / 1e6:,.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nsys", help="the program nsys")
    parser.add_argument("--nsys-ai", metavar="PYTHON", help="a Python interpreter that has nsys-ai")
    parser.add_argument("--kernels", type=int, nargs="+", default=[500_000, 5_000_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer-runs", type=int, default=3)
    parser.add_argument("--remark", help="what else there is to know of the machine")
    parser.add_argument("--output", type=Path, default=HERE / "results/nsight_speed.json")
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kernels in options.kernels:
            export = Path(folder, f"{kernels}.sqlite")
            make = [sys.executable, str(HERE / "make_nsight_export.py"), str(export), "--kernels", str(kernels)]
            subprocess.run(make, check=True)
            results[described(export)] = compare(options, export)
            print(table(results), flush=True)
            export.unlink()
    machine = "; ".join(filter(None, [this_machine(), options.remark, versions(options)]))
    options.output.write_text(json.dumps({"machine": machine, "note": NOTE, "results": results}, indent=2) + "\n")
    text = f"# Nsight exports: speed and memory\n\n{machine}. {NOTE}\n\n{table(results)}\n"
    options.output.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()

"""`tracer ranks` beside HolisticTraceAnalysis' straggler and communication analyses, on the same traces.

    python benchmarks/compare_ranks.py --hta PYTHON_WITH_HTA RUN_FOLDER [RUN_FOLDER ...]

Each folder holds rank0.json.gz, rank1.json.gz, ... of one run. HTA looks for stragglers by ranges `ProfilerStep#k` and
kernels `ncclKernel...`; so it is also asked of copies of the traces in which each stage's range is such a step and
NCCL's kernels have the name of before its release 2.19. Results go to benchmarks/results/ranks.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from tracer.choices import Choices
from tracer.ranks.analyse import analyse
from tracer.ranks.files import of_paths

HERE = Path(__file__).parent
STAGE = re.compile(r"tracer/(?:prefill|decode#(\d+))")


def ask_hta(python: str, paths: list[Path]) -> dict[str, Any]:
    """What HTA says, or the error that it ended with."""
    done = subprocess.run(
        [python, HERE / "peers/hta_ranks.py", *paths], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return dict(json.loads(done.stdout))


def helped(path: Path, folder: Path) -> Path:
    """A copy with what HTA looks for: steps by the name of PyTorch's profiler, and NCCL's kernels by their old one."""
    with gzip.open(path) as file:
        document = json.load(file)
    for event in document["traceEvents"]:
        name = event.get("name", "")
        if event.get("cat") == "user_annotation" and (found := STAGE.fullmatch(name)):
            event["name"] = f"ProfilerStep#{1 + int(found[1] or 0)}"
        elif name.startswith("ncclDevKernel"):
            event["name"] = name.replace("ncclDevKernel", "ncclKernel", 1)
    copy = folder / path.name
    with gzip.open(copy, "wt", compresslevel=1) as file:
        json.dump(document, file)
    return copy


def ask_tracer(paths: list[Path]) -> dict[str, Any]:
    """The same questions."""
    begin = sum(os.times()[:4])
    found = analyse(paths, Choices(jobs=1))
    spent = sum(os.times()[:4]) - begin
    stages = [
        {"rank": rank.rank, **{key: getattr(row, key) for key in ("stage", "wait_ns", "transfer_ns", "exposed_ns")}}
        for rank in found.ranks
        for row in rank.stages
    ]
    return {"stragglers": msgspec.to_builtins(found.stragglers), "stages": stages, "processor_s": spent}


def main() -> None:
    """Ask both about every run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hta", required=True, help="a Python interpreter that has HolisticTraceAnalysis 0.5")
    parser.add_argument("--output", type=Path, default=HERE / "results/ranks.json")
    parser.add_argument("runs", nargs="+", type=Path)
    options = parser.parse_args()
    results = {}
    for run in options.runs:
        paths = of_paths([run])
        with tempfile.TemporaryDirectory() as folder:
            copies = [helped(path, Path(folder)) for path in paths]
            results[run.name] = {
                "tracer": ask_tracer(paths),
                "hta": ask_hta(options.hta, paths),
                "hta_helped": ask_hta(options.hta, copies),
            }
    options.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""What two rules say of recordings made on a GPU: work on a side stream that nobody joins, and float32 with TF32.

    python benchmarks/gpu_rules.py OUT_FOLDER

Each recording's summary, as text and as JSON, is written into the folder as soon as it is there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = """
import torch
import tracer

SIDE = torch.cuda.Stream()
LEFT = torch.randn(4096, 4096, device="cuda")
WEIGHTS = torch.randn(4096, 4096, device="cuda")


def products(times):
    result = LEFT
    for _ in range(times):
        result = result @ WEIGHTS
    return result


def request(on_side):
    with tracer.stage("vision"):
        if on_side:
            with torch.cuda.stream(SIDE):
                products(20)
        else:
            products(20)
    with tracer.stage("prefill"):
        products(4)
    for index in range(1, 4):
        with tracer.stage("decode", index=index):
            products(2)
    SIDE.synchronize() if on_side == "joined" else None


def plain(): return lambda: request(False)
def side(): return lambda: request("left")
def rounded():
    torch.backends.cuda.matmul.allow_tf32 = True
    return lambda: request(False)
"""


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "products.py"
    script.write_text(SCRIPT)
    for name in ("plain", "side", "rounded"):
        trace = folder / f"{name}.json.gz"
        _tracer("record", "--model", f"{script}:{name}", "--force", "--output", str(trace), to=folder / f"{name}.log")
        _tracer("summarize", str(trace), "--shapes", to=folder / f"{name}.txt")
        _tracer("summarize", str(trace), "--format", "json", to=folder / f"{name}.summary.json")


def _tracer(*arguments: str, to: Path) -> None:
    with to.open("w") as file:
        subprocess.run([sys.executable, "-m", "tracer", *arguments], cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)


if __name__ == "__main__":
    main()

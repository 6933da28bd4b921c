"""How large a page is, how long it takes to make and to open in Chromium, by the number of device ops.

    python benchmarks/page_speed.py [--ops 10000 100000 500000] [--chromium /usr/bin/chromium]

Traces are made up (tests/support/staged.py). Results go to benchmarks/results/page_speed.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from timing import this_machine

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
OPS_A_STEP, RUNS = 1000, 5


def main() -> None:
    """Make traces and pages of them, open these, and write down what that took."""
    from playwright.sync_api import sync_playwright
    from support.staged import staged_trace

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--ops", type=int, nargs="+", default=[10_000, 100_000, 500_000])
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        for ops in options.ops:
            trace, page = Path(folder, f"{ops}.json.gz"), Path(folder, f"{ops}.html")
            staged_trace(trace, steps=max(1, ops // OPS_A_STEP - 2), ops=OPS_A_STEP)
            start = time.perf_counter()
            subprocess.run([sys.executable, "-m", "tracer", "report", str(trace), "-o", str(page)], check=True)
            made_s = time.perf_counter() - start
            opened = [_opened(running, options.chromium, page) for _ in range(RUNS)]
            rows.append((ops, page.stat().st_size / 1e6, made_s, median(opened), max(opened)))
    load = os.getloadavg()[0]
    said = (
        f"{this_machine()}, load average {load:.1f} at the end. Made: `tracer report` as a process. Opened: in a fresh "
        f"headless Chromium, from the start of loading to the last chart drawn, median and longest of {RUNS}."
    )
    lines = ["# The page: size and speed", "", said, "", "| device ops | page MB | made s | opened s | longest s |"]
    lines += ["|---|---|---|---|---|", *[_row(*row) for row in rows]]
    (HERE / "results/page_speed.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def _row(ops: int, size: float, made: float, typical: float, worst: float) -> str:
    return f"| {ops:,} | {size:.1f} | {made:.1f} | {typical:.2f} | {worst:.2f} |"


def _opened(running: Any, chromium: str, page: Path) -> float:
    """Seconds to open a page in a browser of its own."""
    browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    tab = browser.new_page(viewport={"width": 1440, "height": 900})
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-ready=yes]")
    took: float = tab.evaluate("performance.getEntriesByName('ready')[0].startTime") / 1000
    browser.close()
    return took


if __name__ == "__main__":
    main()

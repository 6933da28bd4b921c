"""What the comparisons share: running a command and measuring it from outside."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from typing import Any


def measure(command: list[str]) -> dict[str, Any]:
    """Wall and CPU seconds and peak memory of one run of a command, and the times that it printed in JSON."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE)
        errors = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            return {"failed": errors.decode(errors="replace").strip().splitlines()[-1:]}
        output.seek(0)
        printed = output.read()
    found: dict[str, Any] = {
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    try:
        parsed = json.loads(printed)
    except ValueError:
        return found
    return found | {key: parsed[key] for key in ("load_s", "breakdown_s", "kernel_us") if key in parsed}


def median_of(command: list[str], runs: int) -> dict[str, Any]:
    """Medians over several runs, or what the first one that failed said last."""
    results = [measure(command) for _ in range(runs)]
    if any("failed" in result for result in results):
        return next(result for result in results if "failed" in result)
    return {key: statistics.median(result[key] for result in results) for key in results[0]} | {"runs": runs}


def this_machine() -> str:
    """What the numbers were measured on."""
    cores = len(os.sched_getaffinity(0))
    return f"{platform.processor() or platform.machine()}, {cores} cores, Python {platform.python_version()}"

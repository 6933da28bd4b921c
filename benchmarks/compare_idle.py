"""Busy and idle time, and idle time by cause, beside HolisticTraceAnalysis' on the same traces; writes a table.

    python benchmarks/compare_idle.py OUT.md HTA_PYTHON TRACE...

HTA_PYTHON is an interpreter that has HolisticTraceAnalysis. Times are milliseconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tracer.summarize import Choices, summarize_file

PEER = Path(__file__).parent / "peers" / "hta_idle.py"
COLUMNS = (
    "window",
    "compute",
    "non-compute",
    "idle",
    "host + sync | host wait",
    "launch | kernel wait",
    "unknown | other",
)
DEFINITIONS = """
Ours, then HTA's (0.5), in milliseconds; bold where they are more than 0.1 % and 1 us apart, - where HTA fails.
The differences, each from the definitions:

- HTA takes every event with a stream for device work: also records of synchronisation (`cuda_sync`, alexnet) and
  operators that name a stream (`cpu_op`, one in b200, four in mi355x_compiled_triton). Here only kernels, copies and
  fills are device work. That moves window, compute and idle time in these three traces.
- An instant in which compute and non-compute run goes to the op that started first here, to compute in HTA (rank0);
  their sum is the same.
- HTA puts a whole gap under host wait if its op was launched after the op before had ended, else under kernel wait if
  it is short, else under other. Here a gap is split where the op's launch call starts: host and sync before, launch
  after. So an op that waits long after its launch (463 ms in sglang, on a second stream) is launch here, not there.
- HTA adds its causes up over streams, and a stream idles while another runs; here a device idles once, so that the
  causes add up to its idle time (sglang, alexnet, rank0 have several streams).
"""


def main() -> None:
    output, python, *traces = sys.argv[1:]
    lines = ["| trace | streams | " + " | ".join(name.replace(" | ", ", ") for name in COLUMNS) + " |"]
    lines.append("|---" * (len(COLUMNS) + 2) + "|")
    for trace in sorted(traces):
        mine = ours(trace)
        if mine is not None:
            lines.append(row(Path(trace).name.split(".")[0], mine, theirs(python, trace)))
    Path(output).write_text(
        "# Idle time, beside HolisticTraceAnalysis\n" + DEFINITIONS + "\n" + "\n".join(lines) + "\n"
    )


def ours(trace: str) -> list[float] | None:
    """The columns in milliseconds; None of a trace without device work."""
    summary = summarize_file(trace, Choices(by="kernel"))
    device = summary.device
    if device.kind != "gpu":
        return None
    idle = [stage.idle for stage in summary.stages] + [device.unattributed.idle]
    assert summary.breakdown is not None
    beside = sum(row.busy_ns for row in summary.breakdown.rows if is_communication_or_memory(row.name))
    host_ns = sum(one.host_ns + one.sync_ns for one in idle)
    launch_ns, unknown_ns = sum(one.launch_ns for one in idle), sum(one.unknown_ns for one in idle)
    window_ns = device.busy_ns + device.idle_ns
    columns = (window_ns, device.busy_ns - beside, beside, device.idle_ns, host_ns, launch_ns, unknown_ns)
    return [time_ns / 1e6 for time_ns in columns]


def is_communication_or_memory(name: str) -> bool:
    """What HTA calls non-compute: by the beginning of the name."""
    return name.startswith(("nccl", "Memcpy", "Memset"))


def theirs(python: str, trace: str) -> tuple[int, list[float]] | None:
    """Streams and columns in milliseconds; None where HTA cannot read the trace."""
    environment = {**os.environ, "HTA_DISABLE_NS_ROUNDING": "1", "PYTHONPATH": ""}
    done = subprocess.run([python, str(PEER), trace], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        return None
    found = json.loads(done.stdout.splitlines()[-1])
    causes = [found["causes"].get(name, 0.0) for name in ("host_wait", "kernel_wait", "other")]
    return found["streams"], [
        us / 1e3 for us in (found["window"], found["compute"], found["non_compute"], found["idle"], *causes)
    ]


def row(name: str, mine: list[float], peer: tuple[int, list[float]] | None) -> str:
    if peer is None:
        return f"| {name} | | " + " | ".join(f"{value:,.3f}, -" for value in mine) + " |"
    streams, values = peer
    cells = []
    for own, other in zip(mine, values, strict=True):
        apart = abs(own - other) > max(1e-3, 1e-3 * max(own, other))
        cell = f"{own:,.3f}, {other:,.3f}"
        cells.append(f"**{cell}**" if apart else cell)
    return f"| {name} | {streams} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()

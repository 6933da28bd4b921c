"""Leave of a recording of `generate` only its work on the device, and say in `truth/` ranges what its frames tell.

    python benchmarks/bare_trace.py IN.json.gz OUT.json.gz STEPS

What is left, up to the end of so many decode steps, are device ops and the calls that asked for them: a trace without
stacks, marks and modules. The ranges `truth/<stage>` that are added have names which nothing that reads traces knows;
names of kernels are cut.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

from tracer.charge.stages.find import find_stages
from tracer.document.names import ALL_STAGES
from tracer.trace.columns import Want
from tracer.trace.reader import read_trace

LONGEST_NAME = 120
DEVICE, HOST = ("kernel", "gpu_memcpy", "gpu_memset"), ("cuda_runtime", "cuda_driver")


def main() -> None:
    source, target, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    trace = read_trace(source, Want.SUMMARY | Want.MODULES)
    found = find_stages(trace)
    last = int(found.end_ns[found.index == steps].max())
    document = json.loads(gzip.decompress(source.read_bytes()))
    events = [event for event in document["traceEvents"] if event.get("cat") in (*DEVICE, *HOST)]
    asked = {_number(event) for event in events if event["cat"] in HOST and 1000 * float(event["ts"]) < last}
    ran = {_number(event) for event in events if event["cat"] in DEVICE}
    events = [_bare(event) for event in events if _number(event) in asked & ran]
    for start, end, stage, thread in zip(found.start_ns, found.end_ns, found.stage, found.thread, strict=True):
        if start >= last:
            continue
        process, number = trace.threads[thread]
        name = f"truth/{ALL_STAGES[stage]}"
        rest = {
            "ts": int(start) / 1000,
            "dur": int(end - start) / 1000,
            "pid": int(process),
            "tid": int(number),
        }
        events.append({"ph": "X", "cat": "user_annotation", "name": name, **rest})
    kept = {key: document[key] for key in ("schemaVersion", "deviceProperties") if key in document}
    text = json.dumps({**kept, "traceEvents": events}, separators=(",", ":"))
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _number(event: dict[str, Any]) -> int:
    return int(event["args"].get("correlation", 0))


def _bare(event: dict[str, Any]) -> dict[str, Any]:
    args = {key: event["args"][key] for key in ("correlation", "device", "stream") if key in event.get("args", {})}
    return {**event, "name": str(event["name"])[:LONGEST_NAME], "args": args}


if __name__ == "__main__":
    main()

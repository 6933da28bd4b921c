"""Is attribution by correlation true? Compare it with plain time windows on a trace where both must agree.

    tracer record --sync-stages -o synced.json && python benchmarks/attribution_check.py synced.json

With the device synchronised at every stage boundary, each op runs inside the range that launched it, so
attribution by time window is right there (and only there). Exits 1 if any op differs.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from tracer.charge.intervals import Nest
from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of_ops
from tracer.trace.columns import Want
from tracer.trace.reader import read_trace


def compare(path: str) -> dict[str, object]:
    """Count the ops that the two ways put into different ranges."""
    trace = read_trace(path, Want.SUMMARY)
    stages = find_stages(trace)
    by_launch = work_of_ops(trace, stages).stage
    windows = Nest.of(stages.start_ns, stages.end_ns)
    by_start, by_end = windows.innermost(trace.ops.start_ns), windows.innermost(trace.ops.end_ns - 1)
    differing = np.flatnonzero((by_launch != by_start) | (by_launch != by_end))
    durations = trace.ops.end_ns - trace.ops.start_ns
    return {
        "ops": len(trace.ops),
        "ranges": len(stages),
        "unattributed": int((by_launch < 0).sum()),
        "ops_that_differ": len(differing),
        "share_of_device_time_that_differs": float(durations[differing].sum() / max(1, durations.sum())),
        "examples": [trace.strings[trace.ops.name[op]][:80] for op in differing[:5].tolist()],
    }


if __name__ == "__main__":
    found = compare(sys.argv[1])
    print(json.dumps(found, indent=2))
    sys.exit(1 if found["ops_that_differ"] else 0)

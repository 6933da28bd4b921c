"""Records a run on a GPU whose host is busy in known ways: asleep, in operators, launching, waiting.

python benchmarks/gpu_host_layers.py OUT

Beside the trace (`OUT/host_layers.json.gz`) lies what the host's clock and PyTorch's own counters of memory said of the
same run (`OUT/truth.json`): the tests hold a recording to it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

CALLS, PRODUCTS, SLEEP_S = 5000, 20, 0.05


def main(out: Path) -> None:
    """Record, and write both files."""
    import torch
    from torch.profiler import ProfilerActivity, profile, record_function

    cuda, now, truth = torch.cuda, time.perf_counter_ns, dict[str, int | list[int]]()
    small, large = torch.randn(64, 64, device="cuda"), torch.randn(4096, 4096, device="cuda")
    result = torch.empty_like(small)
    for _ in range(500):  # warm
        small.view(-1)
        torch.add(small, small, out=result)
    torch.mm(large, large)
    cuda.synchronize()
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    with torch.no_grad(), profile(activities=activities, profile_memory=True) as recorded:
        cuda.reset_peak_memory_stats()
        with record_function("tracer/request#0"):
            before = cuda.memory_allocated()
            with record_function("tracer/vision"):
                torch.mm(small, small, out=result)
                start = now()
                time.sleep(SLEEP_S)
                truth["sleep_ns"] = now() - start
                torch.mm(small, small, out=result)
                given = torch.empty(1 << 28, dtype=torch.uint8, device="cuda")
                kept = given.clone()
                del given
            truth["vision"] = [before, cuda.max_memory_allocated(), cuda.memory_allocated()]
            with record_function("tracer/prefill"):
                torch.mm(small, small, out=result)
                start = now()
                for _ in range(CALLS):
                    small.view(-1)
                truth["dispatch_ns"] = now() - start
                torch.mm(small, small, out=result)
            with record_function("tracer/decode#1"):
                start = now()
                for _ in range(CALLS):
                    torch.add(small, small, out=result)
                truth["launches_ns"] = now() - start
            cuda.synchronize()
            with record_function("tracer/decode#2"):
                for _ in range(PRODUCTS):
                    torch.mm(large, large)
                start = now()
                cuda.synchronize()
                truth["sync_ns"] = now() - start
            del kept
    out.mkdir(parents=True, exist_ok=True)
    recorded.export_chrome_trace(str(out / "host_layers.json.gz"))
    (out / "truth.json").write_text(json.dumps(truth))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

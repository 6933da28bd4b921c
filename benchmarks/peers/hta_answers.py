"""HolisticTraceAnalysis' kernel time per name, and busy and idle time, of one trace. Prints them as JSON, microseconds.

Run by the interpreter that has HTA: python hta_answers.py TRACE. HTA_DISABLE_NS_ROUNDING=1 in the environment is HTA's
own switch for fractions of microseconds.
"""

import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path

logging.disable(logging.CRITICAL)
warnings.filterwarnings("ignore")
EVERY_KERNEL = 1 << 30


def main() -> None:
    from hta.trace_analysis import TraceAnalysis

    with tempfile.TemporaryDirectory() as folder:
        analysis = TraceAnalysis({0: str(Path(sys.argv[1]).resolve())}, folder, include_last_profiler_step=True)
    _, kernels = analysis.get_gpu_kernel_breakdown(
        visualize=False, num_kernels=EVERY_KERNEL, include_memory_kernels=True
    )
    (row,) = analysis.get_temporal_breakdown(visualize=False).to_dict("records")
    answer = {
        "kernels": {name: float(time) for name, time in zip(kernels["name"], kernels["sum (us)"], strict=True)},
        "idle": float(row["idle_time(us)"]),
        "window": float(row["kernel_time(us)"]),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()

"""HolisticTraceAnalysis' temporal breakdown and idle-time breakdown of one trace. Prints them as JSON, microseconds.

Run by the interpreter that has HTA: python hta_idle.py TRACE. HTA_DISABLE_NS_ROUNDING=1 in the environment is HTA's
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


def main() -> None:
    from hta.trace_analysis import TraceAnalysis

    with tempfile.TemporaryDirectory() as folder:
        analysis = TraceAnalysis({0: str(Path(sys.argv[1]).resolve())}, folder, include_last_profiler_step=True)
    (row,) = analysis.get_temporal_breakdown(visualize=False).to_dict("records")
    idle, _ = analysis.get_idle_time_breakdown(visualize=False)
    causes: dict[str, float] = {}
    for entry in idle.to_dict("records"):
        causes[entry["idle_category"]] = causes.get(entry["idle_category"], 0) + float(entry["idle_time"])
    answer = {
        "window": float(row["kernel_time(us)"]),
        "idle": float(row["idle_time(us)"]),
        "compute": float(row["compute_time(us)"]),
        "non_compute": float(row["non_compute_time(us)"]),
        "causes": causes,
        "streams": len(set(idle["stream"])) if len(idle) else 0,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()

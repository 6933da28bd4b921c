"""HolisticTraceAnalysis on one trace: load it, and its kernel breakdown. Prints both times as JSON.

Run by the interpreter that has HTA: python hta_breakdown.py TRACE [json|ijson_batch_and_compress]
"""

import json
import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path

logging.disable(logging.CRITICAL)
warnings.filterwarnings("ignore")


def main() -> None:
    trace, backend = sys.argv[1], (sys.argv[2:] or ["json"])[0]
    from hta.common.trace_parser import set_default_trace_parsing_backend
    from hta.configs.parser_config import ParserBackend
    from hta.trace_analysis import TraceAnalysis

    set_default_trace_parsing_backend(ParserBackend(backend))
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        analysis = TraceAnalysis({0: str(Path(trace).resolve())}, folder, include_last_profiler_step=True)
    loaded = time.perf_counter()
    kinds, _ = analysis.get_gpu_kernel_breakdown(visualize=False, num_kernels=10)
    done = time.perf_counter()
    print(json.dumps({"load_s": loaded - start, "breakdown_s": done - loaded, "kernel_us": float(kinds["sum"].sum())}))


if __name__ == "__main__":
    main()

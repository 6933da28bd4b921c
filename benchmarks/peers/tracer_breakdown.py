"""tracer on one trace, in the same two steps: load it, and its summary. Prints both times as JSON."""

import json
import sys
import time


def main() -> None:
    from tracer.summarize import summarize
    from tracer.trace.columns import Want
    from tracer.trace.reader import read_trace

    start = time.perf_counter()
    trace = read_trace(sys.argv[1], Want.SUMMARY)
    loaded = time.perf_counter()
    summary = summarize(trace)
    done = time.perf_counter()
    print(
        json.dumps({"load_s": loaded - start, "breakdown_s": done - loaded, "kernel_us": summary.device.time_ns / 1000})
    )


if __name__ == "__main__":
    main()

"""The published systems beside each other, from recordings of one sitting, as a table.

    python benchmarks/compare_systems.py TABLE.md LABEL=SUMMARY.json [LABEL=SUMMARY.json ...]

Each SUMMARY is what `tracer summarize --format json` wrote of a recording. Every figure is the median over the requests
of the pass without a profiler, with its interval (95 %; of five requests 94 %).
"""

from __future__ import annotations

import sys
from pathlib import Path

from tracer.document.summary import Statistic, Summary
from tracer.saved import load_summary

STAGES = ("load", "preprocess", "vision", "prefill", "decode", "request")
NOTE = (
    "Median of {requests} requests without a profiler, by {clock}, and its interval (95 %), in milliseconds. "
    "decode: {steps} steps. tokens/s: 1 / TPOT. The staged answer of each system was verified, token for token, "
    "against its own `generate`, each picture encoded once."
)
BUSY = (
    "Of that the device worked so many milliseconds (one request, under the profiler; kernels take as long there). "
    "What is left the device waited for the host, whose speed varied between recordings: compare busy times with each "
    "other, and latencies by their intervals."
)
ON_DEVICE = ("vision", "prefill", "decode")
CLOCKS = {"cuda_event": "device events on the stream", "host": "the host's clock"}


def milliseconds(found: Statistic) -> str:
    if found.low_ns is None or found.high_ns is None:
        return f"{found.p50_ns / 1e6:,.2f}"
    return f"{found.p50_ns / 1e6:,.2f} ({found.low_ns / 1e6:,.2f} to {found.high_ns / 1e6:,.2f})"


def per_second(tpot: Statistic) -> str:
    if tpot.low_ns is None or tpot.high_ns is None:
        return f"{1e9 / tpot.p50_ns:.1f}"
    return f"{1e9 / tpot.p50_ns:.1f} ({1e9 / tpot.high_ns:.1f} to {1e9 / tpot.low_ns:.1f})"


def busy_row(label: str, summary: Summary) -> str:
    """How long the device worked in one run of each stage."""
    found = {stage.stage: stage for stage in summary.stages}
    cells = [label, *(f"{found[name].busy_ns / found[name].calls / 1e6:,.2f}" for name in ON_DEVICE)]
    return " | ".join(["", *cells, ""]).strip()


def row(label: str, summary: Summary) -> str:
    latency, given = summary.latency, summary.requests[0]
    assert latency is not None and latency.source == "clean", f"{label}: no pass without a profiler"
    found = {statistic.of: statistic for statistic in latency.statistics}
    cells = [label, str(given.visual_tokens), str(given.visual_tokens + given.prompt_tokens)]
    cells += [milliseconds(found[stage]) for stage in STAGES]
    return " | ".join(["", *cells, milliseconds(found["ttft"]), per_second(found["tpot"]), ""]).strip()


def main() -> None:
    output, *pairs = sys.argv[1:]
    summaries = {label: load_summary(path) for label, path in (pair.split("=", 1) for pair in pairs)}
    first = next(iter(summaries.values()))
    run = first.run
    assert run is not None
    header = ["", "system", "visual tokens", "prompt", *STAGES, "TTFT", "tokens/s", ""]
    assert first.latency is not None
    note = NOTE.format(
        clock=CLOCKS[first.latency.clock], requests=len(first.requests), steps=len(first.requests[0].decode_ns)
    )
    what = f"{run['device']}, {run['dtype']}, size {run['size']}, random weights, one sequence, eager decoding."
    busy = ["", "system", *ON_DEVICE[:-1], "a decode step", ""]
    lines = [
        "# The published systems, side by side",
        "",
        f"{what} {note}",
        "",
        " | ".join(header).strip(),
        "|" + "---|" * (len(header) - 2),
        *(row(label, summary) for label, summary in summaries.items()),
        "",
        BUSY,
        "",
        " | ".join(busy).strip(),
        "|" + "---|" * (len(busy) - 2),
        *(busy_row(label, summary) for label, summary in summaries.items()),
    ]
    Path(output).write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

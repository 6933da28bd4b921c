"""What a stage range costs when no profiler is attached, and `tracer.stage` when nobody records: nanoseconds a pair.

python benchmarks/range_cost.py
"""

from __future__ import annotations

import statistics
import time

from torch.profiler import record_function

import tracer
from tracer.recording.ranges import RangeEmitter

PAIRS = 20_000


def pair_ns(work: object) -> float:
    """Median over 7 rounds of the mean over PAIRS."""
    rounds = []
    for _ in range(7):
        start = time.perf_counter_ns()
        for step in range(PAIRS):
            work(step)  # type: ignore[operator]
        rounds.append((time.perf_counter_ns() - start) / PAIRS)
    return statistics.median(rounds)


def main() -> None:
    emitter = RangeEmitter()

    def ours(step: int) -> None:
        emitter.push("decode", step & 63)
        emitter.pop()

    def bare(_: int) -> None:
        with record_function("tracer/decode#1"):
            pass

    def marked(step: int) -> None:
        with tracer.stage("decode", index=1 + (step & 63)):
            pass

    print(f"tracer.stage, nobody records:         {pair_ns(marked):8.0f} ns")
    print(f"a stage range, no profiler attached:  {pair_ns(ours):8.0f} ns")
    print(f"record_function alone, no profiler:   {pair_ns(bare):8.0f} ns")


if __name__ == "__main__":
    main()

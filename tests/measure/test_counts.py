from __future__ import annotations

from pathlib import Path

from hypothesis import given
from support import reference
from support.chrome import OTHER, call, kernel, launch, span, trace_of
from support.strategies import gpu_traces

from tracer.arrays import int64
from tracer.charge.stages.find import find_stages
from tracer.charge.work import work_of_ops
from tracer.document.summary import Counts
from tracer.measure.counts import count, outermost_waits
from tracer.summarize import summarize
from tracer.trace.columns import Trace, Want
from tracer.trace.reader import read_trace


def test_a_token_knows_its_launches_waits_and_copies() -> None:
    trace = trace_of(
        span("tracer/decode#1", 0, 50),
        launch(1, 1, 1), kernel("k", 5, 2, 1),
        call("cudaMemcpyAsync", 8, 1, 2),
        kernel("Memcpy DtoH (Device -> Pageable)", 10, 2, 2, cat="gpu_memcpy", args={"bytes": 8}),
        call("cudaStreamSynchronize", 9, 4), call("cuStreamSynchronize", 10, 2),
        call("cudaMemcpyAsync", 20, 1, 3),
        kernel("Memcpy HtoD (Pinned -> Device)", 22, 2, 3, cat="gpu_memcpy", args={"bytes": 512}),
        call("cudaStreamSynchronize", 30, 9, tid=OTHER),
    )  # fmt: skip
    (token,) = summarize(trace).tokens
    expected = Counts(launches=3, kernels=1, waits=1, wait_ns=4_000, to_device_bytes=512, to_host_bytes=8)
    assert token.counts == expected
    assert summarize(trace).stages[0].counts == expected


def test_the_launch_of_a_graph_is_one() -> None:
    nodes = [kernel(f"node{i}", 20 + i, 1, 9) for i in range(5)]
    trace = trace_of(span("tracer/decode#3", 0, 10), call("cudaGraphLaunch", 1, 1, 9), *nodes)
    counts = summarize(trace).tokens[0].counts
    assert (counts.launches, counts.graphs, counts.kernels) == (1, 1, 5)


@given(gpu_traces())
def test_counts_agree_with_the_reference(trace: Trace) -> None:
    ranges = find_stages(trace)
    counts = count(trace, ranges, work_of_ops(trace, ranges))
    stages = [(int(ranges.start_ns[i]), int(ranges.end_ns[i]), int(ranges.thread[i])) for i in range(len(ranges))]
    found = [counts.of(int64([i])) for i in range(len(stages))]
    assert [(c.launches, c.waits, c.wait_ns) for c in found] == reference.counts(trace, stages)


def test_giving_memory_back_behind_a_kernel_is_a_wait_as_an_h100_measured_it(data: Path) -> None:
    """A kernel of 15.15 ms runs on, behind it one call each: of the two frees the host's time is waiting."""
    trace = read_trace(data / "h100_frees.json.gz", Want.SUMMARY)
    waits = outermost_waits(trace)
    took = {}
    for row in waits.tolist():
        name = trace.strings[trace.calls.name[row]]
        took[name] = max(took.get(name, 0), int(trace.calls.end_ns[row] - trace.calls.start_ns[row]))
    assert took == {"cudaDeviceSynchronize": 14_681_108, "cudaFree": 15_458_880, "cudaFreeHost": 25_338_105}

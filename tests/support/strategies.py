"""Random traces: few nanoseconds, several devices, streams and threads, and everything overlapping."""

from __future__ import annotations

from hypothesis import strategies as st

from support.chrome import Event, call, kernel, operator, span, trace_of
from tracer.trace.columns import Trace

CALLS = ("cudaLaunchKernel", "cudaStreamSynchronize", "cudaGraphLaunch", "cudaMemcpy", "cudaMalloc")
RANGES = (
    "tracer/request#0",
    "tracer/vision",
    "tracer/prefill",
    "tracer/decode#1",
    "tracer/decode#2",
    "other",
)
LATEST_NS = 60

times = st.integers(0, LATEST_NS)
lengths = st.integers(0, 15)
threads = st.integers(1, 2)


def _us(ns: int) -> float:
    return ns / 1000


@st.composite
def _kernels(draw: st.DrawFn) -> Event:
    correlation = draw(st.one_of(st.none(), st.integers(1, 6)))
    start, length = draw(times), draw(lengths)
    return kernel(
        draw(st.sampled_from(["gemm", "norm"])),
        _us(start),
        _us(max(length, 1)),  # one of no length has no usable time
        correlation,
        device=draw(st.integers(0, 1)),
        stream=draw(st.integers(1, 3)),
    )


_calls = st.builds(
    lambda name, ts, dur, correlation, tid: call(name, _us(ts), _us(dur), correlation, tid),
    st.sampled_from(CALLS), times, lengths, st.integers(0, 6), threads,
)  # fmt: skip
_ranges = st.builds(
    lambda name, ts, dur, tid: span(name, _us(ts), _us(dur), tid),
    st.sampled_from(RANGES), times, st.integers(0, 40), threads,
)  # fmt: skip
_operators = st.builds(
    lambda name, ts, dur, tid: operator(name, _us(ts), _us(dur), tid),
    st.sampled_from(["aten::mm", "aten::add"]), times, lengths, threads,
)  # fmt: skip


@st.composite
def gpu_events(draw: st.DrawFn) -> list[Event]:
    """Events with at least one device op."""
    kernels = draw(st.lists(_kernels(), min_size=1, max_size=8))
    return [*kernels, *draw(st.lists(_calls, max_size=8)), *draw(st.lists(_ranges, max_size=6))]


def gpu_traces(*, whole: bool = False) -> st.SearchStrategy[Trace]:
    """A trace with at least one device op; of a whole one, launches without an op are no launches."""
    return gpu_events().map(lambda events: trace_of(*(_whole(events) if whole else events)))


def _whole(events: list[Event]) -> list[Event]:
    from tracer.charge.launches import find_launches

    trace = trace_of(*events)
    used = set(find_launches(trace).tolist()) - {-1}
    starts = {(trace.calls.start_ns[row], trace.calls.correlation[row]) for row in used}
    return [
        one
        for one in events
        if one["cat"] != "cuda_runtime"
        or "Launch" not in one["name"]
        or (round(1000 * one["ts"]), one["args"]["correlation"]) in starts
    ]


@st.composite
def cpu_events(draw: st.DrawFn) -> list[Event]:
    """Events without device ops."""
    operators = draw(st.lists(_operators, min_size=1, max_size=8))
    return [*operators, *draw(st.lists(_ranges, max_size=6))]


def cpu_traces() -> st.SearchStrategy[Trace]:
    """A trace without device ops."""
    return cpu_events().map(lambda events: trace_of(*events))

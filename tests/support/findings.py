"""Traces in which one thing can be found, and a look at what is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support.chrome import call, kernel, launch, span, trace_of
from tracer.document.manifest import Cost, Costs, Latencies, Manifest, Shape, Verification, encode
from tracer.document.summary import decode as decode_summary
from tracer.document.summary import encode as encode_summary
from tracer.summarize import Choices, summarize

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.chrome import Event
    from tracer.document.summary import Finding

GEMM = "ampere_sgemm_64x64_nn"
ADD = "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float> >(int)"
COST = Costs(
    vision=Cost(flops=1, weight_bytes=1, kv_bytes=0),
    prefill=Cost(flops=100_000_000, weight_bytes=1000, kv_bytes=0),
    decode=[Cost(flops=1000 + k, weight_bytes=100_000, kv_bytes=20_000 + k) for k in range(12)],
)


def found(id: str, *events: Event, choices: Choices | None = None, **metadata: Any) -> Finding | None:
    """The finding of that id in a trace of these events."""
    summary = summarize(trace_of(*events, **metadata), choices)
    assert decode_summary(encode_summary(summary)) == summary  # a NumPy number among the evidence would not survive
    return next((finding for finding in summary.findings if finding.id == id), None)


def recorded(cost: Costs | None = None, clean: list[Latencies] | None = None, **changes: Any) -> dict[str, Any]:
    """A trace's metadata that make it a recording of ours."""
    fields: dict[str, Any] = {
        "schema": "tracer.manifest/1", "version": "1", "model": {}, "software": {},
        "device": {"name": "nobody's", "type": "cuda"}, "dtype": "bfloat16", "seed": 0,
        "shape": Shape(batch_size=1, frames=5, visual_tokens=60, prompt_tokens=40, new_tokens=5),
        "coupled": False, "synchronised": False, "clock": "cuda_event", "options": {},
        "verification": Verification(status="passed"), "clean": clean or [], "profiled": [], "cost": cost,
    }  # fmt: skip
    document: dict[str, Any] = json.loads(encode(Manifest(**(fields | changes))))
    return document


def latencies(vision_us: int = 100, prefill_us: int = 100, step_us: int = 100) -> Latencies:
    return Latencies(
        load_ns=1, preprocess_ns=1, vision_ns=1000 * vision_us, prefill_ns=1000 * prefill_us,
        decode_ns=[1000 * step_us] * 4,
    )  # fmt: skip


def stage(name: str, at: float, gap: float, kernels: list[str], each: float = 10, first: int = 1) -> list[Event]:
    """A stage whose kernels are launched `gap` after one another and run `each` long, at once."""
    step = max(gap, each)
    events = [span(name, at, step * len(kernels) + 1)]
    for number, kernel_name in enumerate(kernels):
        start = at + number * gap
        events += [launch(start, 1, first + number), kernel(kernel_name, at + number * step + 2, each, first + number)]
    return events


def frames(count: int, gap: float) -> list[Event]:
    """A vision stage of 20 kernels in so many runs of the encoder."""
    events = stage("tracer/vision", 0, gap, [GEMM] * 20)
    length = 20 * max(gap, 10) / count
    return [*events, *[span("tracer/encoder", number * length, length) for number in range(count)]]


def _nothing(k: int) -> float:
    return 0


def _no_events(k: int, at: float) -> list[Event]:
    return []


def steps(
    extra: Callable[[int], float] = _nothing,
    more: Callable[[int, float], list[Event]] = _no_events,
    count: int = 12,
) -> list[Event]:
    """Twelve decode steps of 100 us, back to back: one gemm of 90 us each, launched early."""
    events: list[Event] = [span("tracer/request#0", 0, 10_000)]
    at = 100.0
    for k in range(1, count + 1):
        longer = extra(k)
        events += [span(f"tracer/decode#{k}", at, 100 + longer), launch(at + 1, 1, k)]
        events += [kernel(GEMM, at + 5, 90 + longer, k), *more(k, at)]
        at += 100 + longer
    return events


def waiting_steps(gap: float, busy: float = 90, count: int = 8, every: int = 1) -> list[Event]:
    """Steps that wait for their kernel, so that the device idles for `gap` before the next one."""
    events: list[Event] = [span("tracer/request#0", 0, 100_000)]
    at, length = 0.0, busy + gap
    for k in range(1, count + 1):
        events += [span(f"tracer/decode#{k}", at, length), launch(at + 1, 1, k), kernel(GEMM, at + 3, busy, k)]
        if k % every == 0:
            events.append(call("cudaStreamSynchronize", at + 4, busy))
        at += length
    return events

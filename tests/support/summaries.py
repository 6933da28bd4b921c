"""Summaries of runs that never were."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from support.chrome import Event, kernel, launch, span, trace_of
from support.manifests import as_metadata, latencies
from tracer.document.summary import Summary, encode
from tracer.summarize import summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.manifest import Latencies

# A little noise, the same in every run: shares of a stage's time.
NOISE = (0.0, 0.004, -0.003, 0.002, -0.004, 0.001, -0.001, 0.003)


def requests(vision_ms: float = 30, count: int = 8, *, louder: float = 1, **stages: Any) -> list[Latencies]:
    """So many requests with a little noise in vision, prefill and each step, `louder` times as much as ever."""
    given = {"prefill_ms": 50.0, "step_ms": 20.0, **stages}
    whole = {name: given.pop(name) for name in ("tokens", "sample") if name in given}
    return [
        latencies(
            vision_ms * (1 + louder * NOISE[i % 8]),
            **{
                name: value * (1 + louder * NOISE[(i + 3 * n) % 8])
                for n, (name, value) in enumerate(given.items(), start=1)
            },
            **whole,
        )
        for i in range(count)
    ]


def events(kernels: Sequence[tuple[str, str, float]] = ()) -> list[Event]:
    """One request of 400 us; kernels are (stage, name, microseconds), the stage one of the ranges below."""
    bounds = {"vision": 0, "prefill": 100, "decode#1": 200, "decode#2": 300}
    found = [span("tracer/request#0", 0, 400), *[span(f"tracer/{stage}", at, 100) for stage, at in bounds.items()]]
    for number, (stage, name, length) in enumerate(kernels, start=1):
        at = bounds[stage] + 10 * (number % 9)
        found += [launch(at, 1, number), kernel(name, at + 2 + 500 * number, length, number)]
    return found


KERNELS = (("vision", "gemm", 30), ("prefill", "gemm", 50), ("decode#1", "gemv", 20), ("decode#2", "gemv", 20))


def summary(
    clean: Sequence[Latencies] | None = None,
    *,
    path: str = "a.json",
    kernels: Sequence[tuple[str, str, float]] = KERNELS,
    **changes: Any,
) -> Summary:
    """A summary of these requests; without any, of a foreign trace."""
    metadata = {} if clean is None else {"tracer": as_metadata(clean, **changes)}
    found = summarize(trace_of(*events(kernels), **metadata))
    return msgspec.structs.replace(found, trace=msgspec.structs.replace(found.trace, path=path))


def save(found: Summary, path: Path) -> Path:
    path.write_bytes(encode(found))
    return path

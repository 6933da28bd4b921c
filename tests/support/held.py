"""Memory and energy of recordings that were never made."""

from __future__ import annotations

from typing import Any

from support.chrome import Event, kernel, launch, span, trace_of
from support.manifests import as_metadata, latencies
from tracer.document.recorded_energy import DeviceState, RecordedEnergy, RunEnergy
from tracer.document.recorded_memory import RecordedMemory, RequestMemory, StageBytes, StepBytes
from tracer.document.summary import Summary
from tracer.summarize import summarize

GB = 10**9
KV = 500_000


def stage_bytes(stage: str, start: int, peak: int | None, end: int, reserved: int | None = 20 * GB) -> StageBytes:
    return StageBytes(
        stage=stage, start_bytes=start, peak_bytes=peak, end_bytes=end, reserved_bytes=reserved,
        end_reserved_bytes=reserved or 0,
    )  # fmt: skip


def memory(**changes: Any) -> RecordedMemory:
    """14 GB of weights; a request needs 2 GB more in prefill, and its cache grows by 500 KB a token."""
    stages = [
        stage_bytes("vision", 14 * GB, 15 * GB, 14 * GB), stage_bytes("prefill", 14 * GB, 16 * GB, 15 * GB),
        stage_bytes("decode", 15 * GB, 15 * GB + GB // 2, 14 * GB),
    ]  # fmt: skip
    steps = [StepBytes(index=k, requested_bytes=15 * GB + KV * k) for k in (2, 4, 8)]
    fields: dict[str, Any] = {
        "requests": [RequestMemory(stages=stages, steps=steps)], "weight_bytes": 13 * GB, "kv_token_bytes": KV,
        "outside_bytes": GB,
    }  # fmt: skip
    return RecordedMemory(**(fields | changes))


def run_energy(stage: str, run_uj: int | None, run_ns: int, runs: int = 1, reason: str = "") -> RunEnergy:
    low, high = (None, None) if run_uj is None else (run_uj * 98 // 100, run_uj * 102 // 100)
    return RunEnergy(
        stage=stage, run_uj=run_uj, low_uj=low, high_uj=high, run_ns=run_ns, repeats=50, runs=runs, reason=reason
    )


def energy(**changes: Any) -> RecordedEnergy:
    """Vision 10 J, a step 2 J, of which there are three; the device uses 100 W with nothing to do."""
    states = [
        DeviceState(during="profiled", request=k, sm_mhz=1980 - 100 * k, celsius=60 + k, limited_by=["heat"][: k > 0])
        for k in range(3)
    ]
    fields: dict[str, Any] = {
        "source": "NVML", "idle_mw": 100_000, "tokens": 3, "update_ns": 100_000_000, "states": states,
        "stages": [
            run_energy("vision", 10_000_000, 30_000_000), run_energy("prefill", None, 5, reason="too short"),
            run_energy("decode", 2_000_000, 10_000_000, 3), run_energy("request", 20_000_000, 90_000_000),
        ],
    }  # fmt: skip
    return RecordedEnergy(**(fields | changes))


EVENTS: list[Event] = [
    span("tracer/request#0", 0, 400),
    *[
        event
        for number, stage in enumerate(("vision", "prefill", "decode#1"))
        for event in (
            span(f"tracer/{stage}", 100 * number, 90),
            launch(100 * number + 1, 1, number + 1),
            kernel("gemm", 100 * number + 5, 50, number + 1),
        )
    ],
]


def recorded(
    held: RecordedMemory | None = None,
    used: RecordedEnergy | None = None,
    device_bytes: int | None = 80 * GB,
    **more: Any,
) -> Summary:
    """The summary of a recording with that memory and that energy."""
    device: dict[str, Any] = {"type": "cuda", "name": "GPU"}
    device |= {} if device_bytes is None else {"memory_bytes": device_bytes}
    metadata = as_metadata([latencies()] * 2, memory=held, energy=used, device=device, **more)
    return summarize(trace_of(*EVENTS, tracer=metadata))

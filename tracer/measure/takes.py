"""What one run of each stage takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import DECODE
from tracer.document.summary import RunTime

if TYPE_CHECKING:
    from tracer.document.manifest import Manifest
    from tracer.document.summary import Latency
    from tracer.measure.runs import Runs


def run_times(runs: Runs, latency: Latency | None, manifest: Manifest | None) -> dict[str, RunTime]:
    """What one run of each stage takes, by the stage's name, in the order of a request."""
    found = {}
    for stage in runs.stages():
        own = runs.of(stage)
        busy_ns = int(runs.together_busy_ns[own].sum())
        found[stage] = run_time(
            stage, runs.count(own), busy_ns, runs.takes_ns(own), latency, manifest, runs.devices(own)
        )
    return found


def run_time(
    stage: str,
    calls: int,
    busy_ns: int,
    in_trace_ns: int,
    latency: Latency | None,
    manifest: Manifest | None,
    devices: int = 1,
) -> RunTime:
    """What one run of a stage takes.

    Args:
        stage: its name.
        calls: its runs in the trace.
        busy_ns, in_trace_ns: busy time of all of them, and all of their time.
        latency: of the recording's clean pass, if it has one.
        manifest: of the recording, if there is one.
        devices: that work in one run.
    """
    runs = calls
    if manifest is not None:
        runs = max(1, manifest.shape.new_tokens - 1) if stage == DECODE else 1
    measured = _clean_ns(stage, latency if latency is not None and latency.source == "clean" else None)
    return RunTime(
        stage=stage,
        runs=runs,
        busy_ns=busy_ns / calls,
        step_ns=measured or in_trace_ns / calls,
        clean=bool(measured),
        recorded=calls,
        devices=max(1, devices),
    )


def _clean_ns(stage: str, clean: Latency | None) -> int | None:
    """What one run takes without a profiler: the median over requests; of decode, over its steps."""
    if clean is None:
        return None
    return clean.tpot_ns if stage == DECODE else clean.stages_ns.get(stage)

"""What one run of each stage takes, and how much of it the device is busy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.document.names import DECODE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.manifest import Manifest
    from tracer.document.summary import Latency, Stage


@dataclass(frozen=True, slots=True)
class StageTime:
    """One stage.

    Attributes:
        stage: its name.
        runs: of a request where the recording says so, else of the whole trace; decode has one a step.
        busy_ns: of one run, on average, in the trace.
        step_ns: what a run takes: without a profiler where that was measured, else busy and idle in the trace.
        clean: whether it was.
    """

    stage: str
    runs: int
    busy_ns: float
    step_ns: float
    clean: bool

    @property
    def total_ns(self) -> float:
        """All runs together."""
        return self.runs * self.step_ns

    @property
    def waiting_ns(self) -> float:
        """What a run takes beyond its busy time."""
        return max(0.0, self.step_ns - self.busy_ns)


def stage_times(stages: Sequence[Stage], latency: Latency | None, manifest: Manifest | None) -> dict[str, StageTime]:
    """The stages by name, in their order."""
    clean = latency if latency is not None and latency.source == "clean" else None
    found = {}
    for stage in stages:
        runs = stage.calls
        if manifest is not None:
            runs = max(1, manifest.shape.new_tokens - 1) if stage.stage == DECODE else 1
        measured = _clean_ns(stage.stage, clean)
        in_trace = stage.busy_ns + stage.idle_ns if stage.ops else stage.cpu_ns
        found[stage.stage] = StageTime(
            stage=stage.stage,
            runs=runs,
            busy_ns=stage.busy_ns / stage.calls,
            step_ns=measured or in_trace / stage.calls,
            clean=bool(measured),
        )
    return found


def _clean_ns(stage: str, clean: Latency | None) -> int | None:
    """What one run takes without a profiler: the median over requests; of decode, over its steps."""
    if clean is None:
        return None
    return clean.tpot_ns if stage == DECODE else clean.stages_ns.get(stage)

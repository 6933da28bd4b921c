"""What rules may look at, and how they word what they found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracer.document.summary import Finding
from tracer.findings.advice import ADVICE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tracer.charge.overlaps import Overlaps
    from tracer.charge.stages.ranges import StageRanges
    from tracer.charge.work import Work
    from tracer.document.summary import (
        Decoding,
        DeviceTotals,
        Gain,
        Latency,
        Roofline,
        RunTime,
        Stage,
        StageRoofline,
        Token,
    )
    from tracer.trace.columns import Trace


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a rule may look at.

    `frames` reads the trace once more for its Python frames, so only a rule that has something to say calls it; None
    where there are none.
    """

    trace: Trace
    ranges: StageRanges
    work: Work
    overlaps: Overlaps
    device: DeviceTotals
    stages: list[Stage]
    tokens: list[Token]
    times: dict[str, RunTime]
    latency: Latency | None
    decoding: Decoding | None
    roofline: Roofline | None
    frames: Callable[[], Trace] | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether there is device work; else operators stand for it."""
        return self.work.on_device

    @property
    def kind(self) -> str:
        """What time is counted: "device" or "operator"."""
        return self.work.noun

    @property
    def whole_ns(self) -> float:
        """All stages together: of one request where the recording says so, else of the trace."""
        return sum(time.total_ns for time in self.times.values())

    @property
    def of_whole(self) -> str:
        """What `whole_ns` is the time of."""
        return "a request" if self.trace.manifest is not None else "the trace"

    def stage(self, name: str) -> Stage | None:
        """The stage of that name, if it occurs."""
        return next((stage for stage in self.stages if stage.stage == name), None)

    def under_roof(self, name: str) -> StageRoofline | None:
        """A stage's roofline, if it is known."""
        return next((row for row in self.roofline.stages if row.stage == name), None) if self.roofline else None


def finding(
    id: str,
    severity: str,
    message: str,
    evidence: dict[str, Any],
    gain: Gain | None = None,
) -> Finding:
    """A finding with the advice that belongs to its id."""
    advice = ADVICE[id]
    return Finding(
        id=id,
        severity=severity,
        message=message,
        evidence=evidence,
        rule=advice.rule,
        next_step=advice.next_step,
        gain=gain,
    )

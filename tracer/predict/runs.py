"""The stages while they are changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tracer.document.errors import UsageError
from tracer.document.summary import UNWORKED, Lost

if TYPE_CHECKING:
    from tracer.document.summary import PricedSpeculation, RunTime, StagePrediction, Summary


# Why nothing is known of a stage's work where a draft and its target were recorded together.
OF_TWO = (
    "a stage holds the work of two models, which no model's own account is of: ask it of a recording of the target by "
    "itself"
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a stage.

    Attributes:
        runs: how many there are.
        busy_ns: in which the device is busy.
        step_ns: what it takes.
    """

    runs: float
    busy_ns: float
    step_ns: float

    @property
    def waits(self) -> bool:
        """Whether the host is the limit."""
        return self.busy_ns < self.step_ns / 2

    @property
    def waiting_ns(self) -> float:
        """What it takes beyond its busy time; under a profiler that may be longer than a run takes without."""
        return max(0.0, self.step_ns - self.busy_ns)

    def busy_for(self, busy_ns: float) -> Run:
        """The same with another busy time."""
        if self.waits:
            step_ns = max(self.step_ns, busy_ns)
        elif self.busy_ns > self.step_ns:  # the profiler made it busy for longer than a run takes without it
            step_ns = self.step_ns * (busy_ns / self.busy_ns)
        else:
            step_ns = self.step_ns - (self.busy_ns - busy_ns)
        return replace(self, busy_ns=busy_ns, step_ns=step_ns)


@dataclass(frozen=True, slots=True)
class Case:
    """A summary, and its stages by name as the changes so far leave them.

    Attributes:
        summary: of the trace.
        runs: its stages.
        added: stages of another model that come besides.
        priced: rounds of speculative decoding, as they were priced.
    """

    summary: Summary
    runs: dict[str, Run]
    added: list[StagePrediction] = field(default_factory=list)
    priced: list[PricedSpeculation] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The trace, for messages."""
        return self.summary.trace.path

    @property
    def because(self) -> str:
        """Why something is unknown of a trace that lacks device ops or any work, and what to do; "" of others."""
        lost = self.summary.lost
        if isinstance(lost, Lost):
            return f": {lost.reason}; {lost.next_step}"
        return next((f": {one.because}" for one in self.summary.abstained if one.what == UNWORKED), "")

    def needed(self, stage: str, option: str) -> Run:
        """A stage that an option changes.

        Raises:
            UsageError: it does not occur.
        """
        if stage not in self.runs:
            raise UsageError(f"{option}: {self.path} has no stage {stage}; it has {', '.join(self.runs)}")
        return self.runs[stage]

    def changed(self, stage: str) -> bool:
        """Whether a change so far made another of it."""
        was = self.measured(stage)
        return self.runs[stage] != Run(was.runs, was.busy_ns or 0.0, was.step_ns or 0.0)

    def measured(self, stage: str) -> RunTime:
        """A stage that occurs, as it was measured."""
        return next(one for one in self.summary.budget if one.stage == stage)

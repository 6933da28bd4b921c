"""Stages and decode steps."""

from __future__ import annotations

import msgspec

from tracer.document.summary.device import Counts, Idle, Kernel


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage, all its calls together.

    Attributes:
        stage: its name.
        calls: ranges of it; decode has one a step.
        ops: device ops launched inside.
        device_time_ns: sum of their durations.
        busy_ns: its share of the time in which anything ran.
        idle_ns: idle time that its ops ended, as far as a stage or a request was open.
        idle: the same by cause.
        span_ns: first op's start to last op's end, per request, added up.
        cpu_ns: the ranges themselves, on the host, without the stages that lie within them.
        categories: device time by kernel category.
        kernels: by name, most time first.
        counts: launches, waits and copies of its ranges.
        wall_ns: what its calls took on the device, or on the host where they asked for nothing, added up: time that
            passed, on several devices at once counted once; None in documents from before there was this key.
        recorded_runs: runs of it in the trace, where all calls in one request are one; None likewise.
        of_runs: runs that the recorded requests had; None where nothing tells.
        role: which of several models works in it: "target" or "draft"; None of one model.
    """

    stage: str
    calls: int
    ops: int
    device_time_ns: int
    busy_ns: int
    idle_ns: int
    idle: Idle
    span_ns: int
    cpu_ns: int
    categories: dict[str, int]
    kernels: list[Kernel]
    counts: Counts = Counts()
    wall_ns: int | None = None
    recorded_runs: int | None = None
    of_runs: int | None = None
    role: str | None = None

    @property
    def runs(self) -> int:
        """Runs of it in the trace."""
        return self.calls if self.recorded_runs is None else self.recorded_runs

    @property
    def scale(self) -> float:
        """What makes whole requests of what was recorded of them: 1 where all of it was."""
        return max(1.0, self.of_runs / self.runs) if self.of_runs and self.runs else 1.0

    @property
    def whole_time_ns(self) -> int:
        """Its device time in whole requests: that of runs which were not recorded is taken to be like the others'."""
        return round(self.device_time_ns * self.scale)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One decode step; `request` is -1 where the trace does not say."""

    request: int
    index: int
    ops: int
    device_time_ns: int
    busy_ns: int
    idle_ns: int
    idle: Idle
    cpu_ns: int
    counts: Counts = Counts()

"""Stages and decode steps."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from tracer.document.summary.device import Counts, Idle, Kernel
from tracer.document.summary.energy import Joules
from tracer.document.summary.host import HostTime
from tracer.document.summary.lost import LostOps
from tracer.document.summary.memory import StageMemory


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage, all its calls together.

    Where launches of it have no device op, or a trace holds ranges and no work at all, what its device did is unknown:
    all of its times but `cpu_ns` are None, and so are its kernels and categories. Idle time is None also where work of
    others that was not recorded may have run in it.

    Attributes:
        stage: its name.
        calls: ranges of it; decode has one a step.
        ops: recorded device ops launched inside.
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
        role: which of several models works in it, as "target" or "draft"; None of one model, and where several do.
        lost: launches without their device ops; absent where there are none.
        host: `cpu_ns` by layer; absent where that was not looked at.
        memory: what was allocated on its device; absent where no allocator reported it.
        energy: of its device, in one request (`energy` of the document says how it was measured); absent where it was
            not, or the counter did not tell.
    """

    stage: str
    calls: int
    ops: int
    device_time_ns: int | None
    busy_ns: int | None
    idle_ns: int | None
    idle: Idle | None
    span_ns: int | None
    cpu_ns: int
    categories: dict[str, int] | None
    kernels: list[Kernel] | None
    counts: Counts = Counts()
    wall_ns: int | None = None
    recorded_runs: int | None = None
    of_runs: int | None = None
    role: str | None = None
    lost: LostOps | UnsetType = UNSET
    host: HostTime | UnsetType = UNSET
    memory: StageMemory | UnsetType = UNSET
    energy: Joules | UnsetType = UNSET

    @property
    def took_ns(self) -> int | None:
        """All calls, as time that passed; where a document does not say that, all of its devices' time."""
        if self.busy_ns is None or self.idle_ns is None:
            return None
        if self.wall_ns is not None:
            return self.wall_ns
        return self.busy_ns + self.idle_ns if self.ops else self.cpu_ns

    @property
    def runs(self) -> int:
        """Runs of it in the trace."""
        return self.calls if self.recorded_runs is None else self.recorded_runs

    @property
    def scale(self) -> float:
        """What makes whole requests of what was recorded of them: 1 where all of it was."""
        return max(1.0, self.of_runs / self.runs) if self.of_runs and self.runs else 1.0

    @property
    def whole_time_ns(self) -> int | None:
        """Its device time in whole requests: that of runs which were not recorded is taken to be like the others'."""
        return None if self.device_time_ns is None else round(self.device_time_ns * self.scale)


class RoleStage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of one of several models; `role` is "" where nothing tells whose. The rest is as of a stage."""

    role: str
    stage: str
    calls: int
    ops: int
    device_time_ns: int | None
    busy_ns: int | None
    idle_ns: int | None
    cpu_ns: int


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One decode step; `request` is -1 where the trace does not say.

    What is None, and what may be absent: as of a stage. `host` is without what lies in stages within the step.
    """

    request: int
    index: int
    ops: int
    device_time_ns: int | None
    busy_ns: int | None
    idle_ns: int | None
    idle: Idle | None
    cpu_ns: int
    counts: Counts = Counts()
    lost: LostOps | UnsetType = UNSET
    host: HostTime | UnsetType = UNSET
    memory: StageMemory | UnsetType = UNSET

    @property
    def took_ns(self) -> int | None:
        """Busy and idle time as charged; None where either is unknown."""
        return None if self.busy_ns is None or self.idle_ns is None else self.busy_ns + self.idle_ns

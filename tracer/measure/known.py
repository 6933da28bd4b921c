"""Stages, decode steps and runs of which everything is known: all that findings and rooflines may rest on.

The document has null where work was launched and not recorded; what is in here has figures alone, by its type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracer.document.names import DECODE
from tracer.document.summary import Idle, Kernel, RunTime, Stage, Token

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import msgspec


class KnownStage(Stage, frozen=True, kw_only=True):
    """A stage whose work was recorded, all of it."""

    device_time_ns: int
    busy_ns: int
    idle_ns: int
    idle: Idle
    span_ns: int
    categories: dict[str, int]
    kernels: list[Kernel]

    @property
    def whole_time_ns(self) -> int:
        """Its device time in whole requests; see `Stage`."""
        return round(self.device_time_ns * self.scale)


class KnownToken(Token, frozen=True, kw_only=True):
    """A decode step whose work was recorded, all of it."""

    device_time_ns: int
    busy_ns: int
    idle_ns: int
    idle: Idle

    @property
    def took_ns(self) -> int:
        """Busy and idle time as charged."""
        return self.busy_ns + self.idle_ns


class KnownTime(RunTime, frozen=True, kw_only=True):
    """What a run of a stage takes, of runs whose work was recorded."""

    busy_ns: float
    step_ns: float

    @property
    def total_ns(self) -> float:
        """All runs together."""
        return self.runs * self.step_ns

    @property
    def waiting_ns(self) -> float:
        """What a run takes beyond its busy time."""
        return max(0.0, self.step_ns - self.busy_ns)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a trace's stages, decode steps and runs; by the stage's name the last."""

    stages: list[KnownStage]
    tokens: list[KnownToken]
    times: dict[str, KnownTime]

    def without(self, names: Collection[str]) -> Known:
        """Less stages that may have asked for more than is known."""
        if not names:
            return self
        return Known(
            [stage for stage in self.stages if stage.stage not in names],
            [] if DECODE in names else self.tokens,
            {stage: time for stage, time in self.times.items() if stage not in names},
        )


def known_stages(stages: Iterable[Stage]) -> list[KnownStage]:
    """Those of which neither work nor idle time is unknown."""
    return [KnownStage(**_fields(stage)) for stage in stages if stage.took_ns is not None]


def known_tokens(tokens: Iterable[Token]) -> list[KnownToken]:
    """Those of which neither work nor idle time is unknown."""
    return [KnownToken(**_fields(token)) for token in tokens if token.took_ns is not None]


def known_times(times: Mapping[str, RunTime]) -> dict[str, KnownTime]:
    """Those that were measured, by stage."""
    return {stage: KnownTime(**_fields(time)) for stage, time in times.items() if time.waiting_ns is not None}


def _fields(row: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}

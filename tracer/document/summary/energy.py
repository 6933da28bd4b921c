"""What a device's work costs in joules, by its own counter (`tracer record --energy`)."""

from __future__ import annotations

import msgspec


class Joules(msgspec.Struct, frozen=True, kw_only=True):
    """An energy, and between what bounds it lies."""

    joules: float
    interval: tuple[float, float]


class StageEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """Energy of one stage of one request.

    Attributes:
        stage: its name; "request" for all of them, which is measured by itself.
        joules: of all its runs in one request; None where the counter did not tell.
        interval: bounds of it; None likewise.
        above_idle_joules: of that, what the device would not have used without anything to do; None likewise, and where
            the interval does not tell it from nothing.
        watts: mean power while it was repeated; None likewise.
        run_ns: what one run took then, each begun on an idle device; of decode, one step.
        repeats: runs that were measured.
        runs: that a request has.
        reason: why nothing is known; else "".
    """

    stage: str
    joules: float | None
    interval: tuple[float, float] | None
    above_idle_joules: float | None
    watts: float | None
    run_ns: int
    repeats: int
    runs: int
    reason: str = ""


class DeviceCondition(msgspec.Struct, frozen=True, kw_only=True):
    """A device's clocks and heat in one pass, or while one stage was repeated; None where it does not tell.

    Attributes:
        during: the pass or the stage.
        readings: so many.
        watts: mean of the device's own averages.
        sm_mhz, memory_mhz: mean clocks.
        least_sm_mhz: the lowest that was read.
        celsius: the highest temperature.
        limited_by: why clocks were not higher, at any time.
    """

    during: str
    readings: int
    watts: float | None
    sm_mhz: float | None
    least_sm_mhz: int | None
    memory_mhz: float | None
    celsius: int | None
    limited_by: list[str]


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """Energy of a recording's device.

    Attributes:
        source: whose counter: "NVML" or "amdsmi".
        per_token: of decoding, for each token of each sequence; None where nothing tells.
        per_request: of a whole request; None likewise.
        idle_watts: of the device with the model on it and nothing to do; None likewise.
        stages: in the order of a request, the request last.
        conditions: clocks and heat.
        update_ns: how often the counter changes.
        warnings: what else may be in the figures.
    """

    source: str
    per_token: Joules | None
    per_request: Joules | None
    idle_watts: float | None
    stages: list[StageEnergy]
    conditions: list[DeviceCondition]
    update_ns: int
    warnings: list[str] = []

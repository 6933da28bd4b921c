"""Energy of a recording: what the manifest says in microjoules, as joules of stages, tokens and requests."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

import msgspec

from tracer.document.names import DECODE, REQUEST
from tracer.document.summary import Abstained, DeviceCondition, Energy, Joules, StageEnergy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracer.document.manifest import Manifest
    from tracer.document.recorded_energy import DeviceState, RecordedEnergy, RunEnergy
    from tracer.document.summary import Stage

WHAT = "energy"
LONGER = "record longer answers (tracer record --max-new-tokens)"
AGAIN = "record again, on a device that nobody else uses"


def energy(manifest: Manifest | None) -> Energy | None:
    """The energy of a recording; None where it was not measured."""
    recorded = None if manifest is None else manifest.energy
    if recorded is None or recorded.reason or not recorded.source:
        return None
    stages = [_stage(one, recorded.idle_mw) for one in recorded.stages]
    by_name = {one.stage: one for one in stages}
    return Energy(
        source=recorded.source,
        per_token=_shared(by_name.get(DECODE), recorded.tokens),
        per_request=_shared(by_name.get(REQUEST), 1),
        idle_watts=None if recorded.idle_mw is None else recorded.idle_mw / 1000,
        stages=stages,
        conditions=_conditions(recorded),
        update_ns=recorded.update_ns,
        warnings=recorded.warnings,
    )


def unmeasured(manifest: Manifest | None) -> list[Abstained]:
    """What was asked for and not measured."""
    recorded = None if manifest is None else manifest.energy
    if recorded is None:
        return []
    if recorded.reason:
        return [Abstained(what=WHAT, reason=recorded.reason, next_step=recorded.next_step)]
    return [
        Abstained(what=f"{WHAT} of {one.stage}", reason=one.reason, next_step=LONGER if one.stage == DECODE else AGAIN)
        for one in recorded.stages
        if one.reason
    ]


def _stage(one: RunEnergy, idle_mw: int | None) -> StageEnergy:
    known = one.run_uj is not None and one.low_uj is not None and one.high_uj is not None
    if one.run_uj is None or one.low_uj is None or one.high_uj is None:
        joules = interval = watts = above = None
    else:
        joules, interval = one.run_uj * one.runs / 1e6, (one.low_uj * one.runs / 1e6, one.high_uj * one.runs / 1e6)
        watts = one.run_uj / one.run_ns * 1e3 if one.run_ns else None
        above = _above_idle(interval[0], joules, idle_mw, one.run_ns * one.runs)
    return StageEnergy(
        stage=one.stage,
        joules=joules,
        interval=interval,
        above_idle_joules=above,
        watts=watts,
        run_ns=one.run_ns,
        repeats=one.repeats,
        runs=one.runs,
        reason=one.reason if known else one.reason or "the counter did not tell",
    )


def _above_idle(low: float, joules: float, idle_mw: int | None, time_ns: int) -> float | None:
    """What the device would not have used anyway; None where the counter does not tell that from nothing."""
    idle = None if idle_mw is None else idle_mw * time_ns / 1e12
    return None if idle is None or low <= idle else joules - idle


def _shared(stage: StageEnergy | None, among: int) -> Joules | None:
    if stage is None or stage.joules is None or stage.interval is None or among < 1:
        return None
    return Joules(joules=stage.joules / among, interval=(stage.interval[0] / among, stage.interval[1] / among))


def with_energy(stages: Sequence[Stage], found: Energy | None) -> list[Stage]:
    """Stages with their energy in one request, as far as it is known."""
    known = {} if found is None else {one.stage: _shared(one, 1) for one in found.stages}
    each = [(stage, known.get(stage.stage)) for stage in stages]
    return [stage if own is None else msgspec.structs.replace(stage, energy=own) for stage, own in each]


def _conditions(recorded: RecordedEnergy) -> list[DeviceCondition]:
    passes: dict[str, list[DeviceState]] = {}
    for state in recorded.states:
        passes.setdefault(state.during, []).append(state)
    return [_condition(during, states) for during, states in passes.items()]


def _condition(during: str, states: Sequence[DeviceState]) -> DeviceCondition:
    power, clocks = _mean(one.power_mw for one in states), [one.sm_mhz for one in states if one.sm_mhz is not None]
    return DeviceCondition(
        during=during,
        readings=len(states),
        watts=None if power is None else power / 1000,
        sm_mhz=_mean(clocks),
        least_sm_mhz=min(clocks, default=None),
        memory_mhz=_mean(one.memory_mhz for one in states),
        celsius=max((one.celsius for one in states if one.celsius is not None), default=None),
        limited_by=list(dict.fromkeys(reason for one in states for reason in one.limited_by)),
    )


def _mean(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None

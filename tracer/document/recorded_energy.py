"""What a recording says of the energy of its device (`record --energy`). Energies are integer microjoules."""

from __future__ import annotations

import msgspec

from tracer.document.bounds import Count


class RunEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """Energy of one run of a stage, of one decode step, or of a whole request.

    Attributes:
        stage: its name, or "request".
        run_uj: microjoules; None where the counter did not tell.
        low_uj, high_uj: bounds of it.
        run_ns: what a run took while it was repeated.
        repeats: how often it was.
        runs: how many of them a request has.
        reason: why nothing is known; "" where it is.
    """

    stage: str
    run_uj: Count | None
    low_uj: Count | None
    high_uj: Count | None
    run_ns: Count
    repeats: Count
    runs: Count = 1
    reason: str = ""


class DeviceState(msgspec.Struct, frozen=True, kw_only=True):
    """A device's clocks and heat at one time; None where it does not tell.

    Attributes:
        during: a pass ("clean", "profiled"), or what was repeated for its energy.
        request: number in that pass.
        power_mw: milliwatts, as the device averages them.
        sm_mhz, memory_mhz: clocks.
        celsius: temperature.
        limited_by: why the clock is not higher, in words; idleness is no reason.
    """

    during: str
    request: Count = 0
    power_mw: Count | None = None
    sm_mhz: Count | None = None
    memory_mhz: Count | None = None
    celsius: Count | None = None
    limited_by: list[str] = []


class RecordedEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """What the energy pass leaves.

    Attributes:
        source: whose counter: "NVML" or "amdsmi"; "" where there is none.
        reason, next_step: why nothing was measured, and what to do; "" where it was.
        stages: by name, a whole request last.
        idle_mw: milliwatts of the device with the model on it and nothing to do.
        sample: index into the manifest's samples: what was repeated.
        tokens: that decoding yields in a request, of all sequences.
        update_ns: how often the counter changes.
        reading_ns: what reading it takes.
        states: clocks and heat, in the order of time.
        warnings: what else may be in the figures, in words.
    """

    source: str
    reason: str = ""
    next_step: str = ""
    stages: list[RunEnergy] = []
    idle_mw: Count | None = None
    sample: Count = 0
    tokens: Count = 0
    update_ns: Count = 0
    reading_ns: Count = 0
    states: list[DeviceState] = []
    warnings: list[str] = []

"""The energy pass: joules of each stage, of a decode step and of a request, without a profiler.

A device's counter changes a few times a second, and a stage takes milliseconds. So each stage is repeated by itself
until the counter tells its energy to 3 %; decode steps inside whole answers, between whose ends the counter changes
often enough. Nothing is obtained by subtracting two measurements.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import msgspec

from model.staged import answer_in_steps, run_request
from tracer.document.names import DECODE, LOAD, PREFILL, PREPROCESS, REQUEST, VISION
from tracer.document.recorded_energy import RecordedEnergy
from tracer.recording.clocks import clock_for, synchronise
from tracer.recording.energy.find import find_meter
from tracer.recording.energy.joules import Window, period_ns
from tracer.recording.energy.loops import Patience, parts_repeated, repeated, waited
from tracer.recording.energy.meter import NoMeter
from tracer.recording.energy.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from model.staged import StagedModel
    from tracer.document.recorded_energy import DeviceState, RunEnergy
    from tracer.recording.energy.meter import Meter
    from tracer.recording.options import RecordOptions

# What the pass does, as its progress counts: idle, four stages, decoding and the request.
STEPS = 7
PATIENCE = Patience()


class States:
    """Clocks and heat of a device between the requests of other passes; nothing without a meter.

    Attributes:
        found: meter, or why there is none; None where nobody asked.
        states: what was read.
    """

    def __init__(self, found: Meter | NoMeter | None) -> None:
        self.found = found
        self.states: list[DeviceState] = []

    def telling(self, during: str, advance: Callable[[], None]) -> Callable[[], None]:
        """What is called behind each request: reads, and goes on."""
        meter, first = self.meter, len(self.states)
        if meter is None:
            return advance

        def read_and_advance() -> None:
            self.states.append(meter.state(during, len(self.states) - first))
            advance()

        return read_and_advance

    @property
    def meter(self) -> Meter | None:
        """The meter, if there is one."""
        return None if self.found is None or isinstance(self.found, NoMeter) else self.found

    def recorded(self, energy: RecordedEnergy | None) -> RecordedEnergy | None:
        """What goes into the manifest: what the energy pass left, and these states."""
        if isinstance(self.found, NoMeter):
            return RecordedEnergy(source="", reason=self.found.reason, next_step=self.found.next_step)
        if energy is None:
            return None
        return msgspec.structs.replace(energy, states=[*energy.states, *self.states])


@contextmanager
def states_of(device: torch.device, *, asked: bool) -> Iterator[States]:
    """Reads the states of a device, if anybody asked for its energy."""
    states = States(find_meter(device) if asked else None)
    try:
        yield states
    finally:
        if states.meter is not None:
            states.meter.close()


def energy_pass(
    model: StagedModel[Any, Any],
    meter: Meter,
    options: RecordOptions,
    advance: Callable[[], None],
    patience: Patience = PATIENCE,
) -> RecordedEnergy:
    """Repeat the stages of the model's first sample, and read its device's counter meanwhile.

    Args:
        model: to be measured.
        meter: of its device.
        options: of the recording.
        advance: is told `STEPS` times.
        patience: how long each stage is repeated.
    """
    work = _Work(model, options.max_new_tokens, couple=options.couple)
    stages: list[RunEnergy] = []
    with Sampler(meter) as sampler:
        idle_mw = waited(sampler, patience)
        advance()
        for stage, run in work.stages():
            stages.append(repeated(stage, work.to_its_end(run), sampler, patience))
            advance()
        if work.steps:
            stages.append(parts_repeated(DECODE, work.decode, sampler, patience, runs=work.steps))
        advance()
        stages.append(repeated(REQUEST, work.to_its_end(work.request), sampler, patience))
        advance()
    return RecordedEnergy(
        source=meter.source,
        stages=stages,
        idle_mw=idle_mw,
        tokens=work.steps * work.sequences,
        update_ns=period_ns(sampler.changes),
        reading_ns=sampler.reading_ns,
        states=sampler.states,
        warnings=meter.warnings,
    )


class _Work:
    """The stages of the first sample, each ready to be run."""

    def __init__(self, model: StagedModel[Any, Any], max_new_tokens: int, *, couple: bool) -> None:
        self._model, self._tokens = model, max_new_tokens
        self._clock = clock_for(model.device)
        self._answer: Callable[..., torch.Tensor] = getattr(model, "answer", None) or partial(
            answer_in_steps, cast("Any", model)
        )
        self._raw = model.load(0)
        self._inputs = model.prepare(self._raw)
        features = model.encode_vision(self._inputs)
        self._features = None if couple else features
        self.request = partial(run_request, model, 0, max_new_tokens=max_new_tokens, couple=couple)
        self.steps, self.sequences = 0, model.shape(self._inputs).batch_size
        self.decode()  # counts the steps, and is the first of its kind

    def stages(self) -> list[tuple[str, Callable[[], object]]]:
        """Name and work of each stage but decoding."""
        return [
            (LOAD, partial(self._model.load, 0)),
            (PREPROCESS, partial(self._model.prepare, self._raw)),
            (VISION, partial(self._model.encode_vision, self._inputs)),
            (PREFILL, partial(self._answer, self._inputs, self._features, max_new_tokens=1, next_step=lambda: None)),
        ]

    def to_its_end(self, run: Callable[[], object]) -> Callable[[], None]:
        """The work, until the device has done it."""

        def run_to_its_end() -> None:
            run()
            synchronise(self._model.device)

        return run_to_its_end

    def decode(self) -> Window | None:
        """A whole answer, and when its steps were made: from the end of prefill to the last one's end."""
        steps = 0

        def next_step() -> None:
            nonlocal steps
            if not steps:
                self._clock.mark()
            steps += 1

        synchronise(self._model.device)
        start_ns = time.perf_counter_ns()
        self._clock.mark()
        self._answer(self._inputs, self._features, max_new_tokens=self._tokens, next_step=next_step)
        self._clock.mark()
        laps = self._clock.read()
        self.steps = steps
        return Window(start_ns + laps[0], start_ns + sum(laps), steps) if steps else None

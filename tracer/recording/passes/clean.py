"""The clean pass: latencies without a profiler, which are the headline figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from model.staged import run_request
from tracer.document.errors import InputError
from tracer.document.manifest import Sample
from tracer.recording.allocator import WatchedMarks, last_of_each
from tracer.recording.hooks import RecorderHook
from tracer.recording.marks import PROFILES_ITSELF, noticing_profilers
from tracer.recording.world.world import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.staged import StagedModel
    from tracer.document.manifest import Latencies
    from tracer.document.recorded_memory import RequestMemory
    from tracer.recording.options import RecordOptions
    from tracer.recording.world.world import World


@dataclass(frozen=True, slots=True)
class Clean:
    """What the clean pass leaves.

    Attributes:
        latencies: of each request.
        samples: in the order of their first turn.
        checks: of each request drafted and accepted tokens, pass by pass; empty where nothing is drafted.
        beside: of each request that another thread worked on too, what that took.
        memory: of the last request of each sample, where the device's allocator counts.
    """

    latencies: list[Latencies]
    samples: list[Sample]
    checks: list[tuple[tuple[int, int], ...]]
    beside: list[Latencies]
    memory: list[RequestMemory]


def clean_pass(
    model: StagedModel[Any, Any],
    options: RecordOptions,
    requests: int,
    advance: Callable[[], None],
    world: World = ALONE,
) -> Clean:
    """Measure so many requests without a profiler; the model's samples take turns, and ranks begin them together.

    Raises:
        InputError: the model has a profiler of its own.
    """
    marks = WatchedMarks(model.device, adjoining=True, meet=world.meet)
    hook = RecorderHook(marks)
    warmup = options.schedule.warmup
    turns = [0] * warmup + [number % len(model.samples) for number in range(requests)]
    tokens: dict[int, int] = {}
    with noticing_profilers(marks):
        for number in turns:
            answer = run_request(model, number, max_new_tokens=options.max_new_tokens, hook=hook, couple=options.couple)
            tokens[number] = answer.shape[1]
            advance()
    if marks.profiled_itself:
        raise InputError(f"the model: {PROFILES_ITSELF}; take that out")
    return Clean(
        latencies=[
            msgspec.structs.replace(request.latencies, sample=number)
            for request, number in zip(marks.requests[warmup:], turns[warmup:], strict=True)
        ],
        checks=[request.checks for request in marks.requests[warmup:]],
        beside=[request.beside for request in marks.requests[warmup:] if request.beside is not None],
        samples=[_sample(model, number, tokens[number]) for number in sorted(tokens)],
        memory=last_of_each(marks.memory, dict(enumerate(turns))),
    )


def _sample(model: StagedModel[Any, Any], number: int, new_tokens: int) -> Sample:
    shape = model.shape(model.prepare(model.load(number)))
    return Sample(name=model.samples[number], **asdict(shape), new_tokens=new_tokens)

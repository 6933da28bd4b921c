"""The clean pass: latencies without a profiler, which are the headline figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from model.staged import run_request
from tracer.document.manifest import Sample
from tracer.recording.hooks import RecorderHook
from tracer.recording.marks import Marks

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.staged import StagedModel
    from tracer.document.manifest import Latencies
    from tracer.recording.options import RecordOptions


@dataclass(frozen=True, slots=True)
class Clean:
    """What the clean pass leaves: the latencies of each request, and the samples in the order of their first turn."""

    latencies: list[Latencies]
    samples: list[Sample]


def clean_pass(
    model: StagedModel[Any, Any], options: RecordOptions, requests: int, advance: Callable[[], None]
) -> Clean:
    """Measure so many requests without a profiler; the model's samples take turns."""
    marks = Marks(model.device, adjoining=True)
    hook = RecorderHook(marks)
    warmup = options.schedule.warmup
    turns = [0] * warmup + [number % len(model.samples) for number in range(requests)]
    tokens: dict[int, int] = {}
    for number in turns:
        answer = run_request(model, number, max_new_tokens=options.max_new_tokens, hook=hook, couple=options.couple)
        tokens[number] = answer.shape[1]
        advance()
    return Clean(
        latencies=[
            msgspec.structs.replace(request.latencies, sample=number)
            for request, number in zip(marks.requests[warmup:], turns[warmup:], strict=True)
        ],
        samples=[_sample(model, number, tokens[number]) for number in sorted(tokens)],
    )


def _sample(model: StagedModel[Any, Any], number: int, new_tokens: int) -> Sample:
    shape = model.shape(model.prepare(model.load(number)))
    return Sample(name=model.samples[number], **asdict(shape), new_tokens=new_tokens)

"""The profiled pass: the trace, by torch.profiler."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from model.staged import run_request
from tracer.recording.capture import Capture
from tracer.recording.encoders import EncoderWatch
from tracer.recording.hooks import RecorderHook
from tracer.recording.pieces import plan
from tracer.recording.ranged import ProfiledMarks
from tracer.recording.ranges import RangeEmitter
from tracer.recording.world.world import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model.staged import StagedModel
    from tracer.document.manifest import Latencies
    from tracer.recording.options import RecordOptions
    from tracer.recording.world.world import World


@dataclass(frozen=True, slots=True)
class Profiled:
    """What the profiled pass leaves: one file per capture, and latencies under the profiler."""

    captures: list[Path]
    latencies: list[Latencies]


def profiled_pass(
    model: StagedModel[Any, Any],
    options: RecordOptions,
    folder: Path,
    advance: Callable[[], None],
    world: World = ALONE,
) -> Profiled:
    """Run the schedule under torch.profiler, ranks together; the captures are written into `folder`."""
    threaded = bool(getattr(model, "threaded", False))
    emitter = RangeEmitter(everywhere=threaded)
    capture_on = partial(
        Capture,
        plan(options.schedule, options.window, options.max_new_tokens - 1),
        folder,
        with_stack=options.with_stack,
        record_shapes=options.record_shapes,
        memory=options.memory,
        all_threads=threaded,
    )
    marks = ProfiledMarks(
        capture_on, model.device, adjoining=True, meet=world.meet, emitter=emitter, sync_stages=options.sync_stages
    )
    hook = RecorderHook(marks)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torch\.profiler.*")
        with EncoderWatch(model.encoders, emitter), marks:
            for request in range(options.schedule.requests):
                number = options.schedule.turn(request) % len(model.samples)
                run_request(model, number, max_new_tokens=options.max_new_tokens, hook=hook, couple=options.couple)
                advance()
    latencies = [
        replace(request.latencies, sample=options.schedule.turn(request.number) % len(model.samples))
        for request in marks.requests
    ]
    return Profiled(marks.files, latencies)

"""Recording a plain callable that marks its stages: each call is one request."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tracer.document.errors import UsageError
from tracer.recording.allocator import WatchedMarks
from tracer.recording.marks import noticing_profilers
from tracer.recording.options import REQUESTS
from tracer.recording.own.sitting import Profiling, check_marks, manifest_of, sitting_of
from tracer.recording.ranged import ProfiledMarks
from tracer.recording.world.world import ALONE
from tracer.recording.write.workspace import workspace
from tracer.staging import recorded_by, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracer.document.manifest import Manifest
    from tracer.recording.marks import Marks
    from tracer.recording.options import RecordOptions
    from tracer.recording.own.adapter import OwnCallable
    from tracer.recording.progress import Progress
    from tracer.recording.world.world import World

ADVICE = 'mark its parts with tracer.stage("vision") and so on'
REASON = "a plain callable has no generate to compare with"
# They change what happens inside a request, which is the callable's own affair.
FOR_STAGED_MODELS = ("couple", "sync_stages", "nsys", "nsys_path", "energy")


def record_calls(call: OwnCallable, options: RecordOptions, progress: Progress, world: World = ALONE) -> Manifest:
    """Make the requests of the clean and the profiled pass, and write the trace.

    Raises:
        InputError: the callable marks no stage.
        UsageError: an option was given that is for staged models.
    """
    for name in FOR_STAGED_MODELS:
        if name in options.typed:
            raise UsageError(f"--{name.replace('_', '-')}: {call.source} returns a callable, not a staged model")
    schedule, requests = options.schedule, options.requests or REQUESTS
    progress.begin("clean", schedule.warmup + requests)
    marks = WatchedMarks(meet=world.meet)
    with noticing_profilers(marks):
        _make(call, marks, schedule.warmup + requests, progress.advance)
    clean = sitting_of(marks)
    check_marks(clean, call.source, ADVICE)

    progress.begin("profiled", schedule.requests)
    asked = Profiling(
        recorded=schedule.recorded,
        window=(options.window.start, options.window.stop),
        steps=clean.steps,
        with_stack=options.with_stack,
        record_shapes=options.record_shapes,
        memory=options.memory,
    )
    with workspace() as work, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torch\.profiler.*")
        watched = ProfiledMarks(partial(asked.capture_on, folder=work.folder), meet=world.meet)
        with watched:
            _make(call, watched, schedule.requests, progress.advance)
        manifest = manifest_of(
            clean,
            sitting_of(watched, watched.files),
            model={"name": call.name, "size": "", "weights": "own", "input": ""},
            warmup=schedule.warmup,
            options={
                "schedule": asdict(schedule),
                "decode_window": list(asked.window),
                "with_stack": asked.with_stack,
                "record_shapes": asked.record_shapes,
                "memory": asked.memory,
            },
            reason=REASON,
        )
        progress.begin("write", 1)
        manifest = replace(manifest, rank=options.place.rank, world_size=options.place.size)
        work.write(options.output, watched.files, manifest, world)
        progress.advance()
    return manifest


def _make(call: OwnCallable, marks: Marks, requests: int, advance: Callable[[], None]) -> None:
    with recorded_by(marks):
        for number in range(requests):
            with request():
                call(number)
            advance()

"""Recording code that marks its own stages: what one run of it leaves, and the manifest of two such runs.

One run is clean, the other profiled. They may have been in this process (a callable) or in others (a script).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tracer.document.errors import InputError
from tracer.document.manifest import SCHEMA, Latencies, Manifest, Shape, Verification
from tracer.document.names import STAGES
from tracer.document.recorded_memory import RecordedMemory
from tracer.recording.allocator import WatchedMarks, together
from tracer.recording.capture import Capture
from tracer.recording.footprint import recorded_memory
from tracer.recording.machine import describe_device, describe_software
from tracer.recording.marks import PROFILES_ITSELF
from tracer.recording.pieces import plan_apart
from tracer.recording.window import DecodeWindow
from tracer.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from tracer.recording.marks import Marks


class Profiling(msgspec.Struct, frozen=True, kw_only=True):
    """What the profiled run records.

    Attributes:
        recorded: numbers of the requests, rising.
        window: first decode step to record and the one to stop before.
        steps: most decode steps of a request.
        with_stack, record_shapes, memory: torch.profiler's options.
    """

    recorded: list[int]
    window: tuple[int, int]
    steps: int
    with_stack: bool = False
    record_shapes: bool = False
    memory: bool = False

    def capture_on(self, device: torch.device, folder: Path) -> Capture:
        """The profiler, ready to be switched on at the first recorded request."""
        return Capture(
            plan_apart(self.recorded, DecodeWindow(*self.window), self.steps),
            folder,
            device=device,
            with_stack=self.with_stack,
            record_shapes=self.record_shapes,
            memory=self.memory,
        )


class Sitting(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of marked code leaves.

    Attributes:
        numbers: of the measured requests, counted from 0 through the run.
        requests: their latencies.
        stages: those that any of them marked, in their order.
        clock: what they were measured with.
        begun, beside, interleaved, strays, profiled_itself: see `Marks`.
        device, software: what it ran on.
        captures: files of the profiler, in order.
        dtype, architecture, shape: where something could tell; else "" and None.
        memory: what the allocator's counters said of the last request, if anything.
    """

    numbers: list[int]
    requests: list[Latencies]
    stages: list[str]
    clock: str
    begun: int
    beside: int
    strays: int
    device: dict[str, Any]
    software: dict[str, str]
    captures: list[str] = []
    dtype: str = ""
    architecture: str = ""
    shape: Shape | None = None
    interleaved: int = 0
    profiled_itself: bool = False
    memory: RecordedMemory | None = None

    @property
    def steps(self) -> int:
        """The last decode step of any request."""
        return max((request.first_step - 1 + len(request.decode_ns) for request in self.requests), default=0)

    @property
    def tokens(self) -> int:
        """Of the longest answer; 0 where no steps tell. A step yields one, unless somebody counted them."""
        counts = [
            request.prefill_tokens + request.first_step - 1 + (sum(request.step_tokens) or len(request.decode_ns))
            for request in self.requests
            if request.decode_ns
        ]
        return max(counts, default=0)


def sitting_of(marks: Marks, captures: Sequence[Path] = ()) -> Sitting:
    """What a run left, by its marks; of requests measured with several clocks, those with the last one."""
    clock = marks.requests[-1].clock if marks.requests else "host"
    measured = [request for request in marks.requests if request.clock == clock]
    marked = {stage for request in measured for stage in request.stages}
    return Sitting(
        numbers=[request.number for request in measured],
        requests=[request.latencies for request in measured],
        stages=[stage for stage in STAGES if stage in marked],
        clock=clock,
        begun=marks.begun,
        beside=marks.beside,
        strays=marks.strays,
        device=describe_device(marks.device),
        software=describe_software(),
        captures=[str(path) for path in captures],
        interleaved=marks.interleaved,
        profiled_itself=marks.profiled_itself,
        memory=_memory(marks),
    )


def _memory(marks: Marks) -> RecordedMemory | None:
    """What the counters said, if they were read; how much of it is weights, marked code does not show."""
    found = together(list(marks.memory.values())) if isinstance(marks, WatchedMarks) else None
    return None if found is None else recorded_memory(None, marks.device, [found])


def check_marks(sitting: Sitting, source: str, advice: str) -> None:
    """Refuse a run that cannot be told apart into stages.

    Raises:
        InputError: it had no requests, or they marked no stage, or nobody can tell what is whose.
    """
    if sitting.profiled_itself:
        raise InputError(
            f"{source}: {PROFILES_ITSELF}; take that out, or run it without tracer record: its tracer.request and "
            "tracer.stage are ranges in the trace that it writes"
        )
    if sitting.interleaved:
        raise InputError(
            f"{source}: {sitting.interleaved} of its requests began on a thread on which another was open (tasks of "
            "asyncio): their work cannot be told apart; make them one after the other, or each on a thread of its own"
        )
    if not sitting.requests:
        if sitting.begun:
            raise InputError(f"{source}: each of its {sitting.begun} requests ended in an exception")
        stray = f", though {sitting.strays} stages outside of any" if sitting.strays else ""
        raise InputError(f"{source}: it opened no request{stray}; {advice}")
    if not sitting.stages:
        raise InputError(f"{source}: its requests opened no stage; {advice}")


def manifest_of(
    clean: Sitting, profiled: Sitting, *, model: dict[str, Any], warmup: int, options: dict[str, Any], reason: str
) -> Manifest:
    """The manifest of a recording of marked code.

    Args:
        clean: the run without a profiler. Its first `warmup` requests are left out, if any others remain.
        profiled: the run with one.
        model: name and whatever else is known.
        warmup: requests.
        options: of the recording.
        reason: why nothing was verified.
    """
    warm = [latencies for number, latencies in zip(clean.numbers, clean.requests, strict=True) if number >= warmup]
    measured = warm or clean.requests
    known = clean.shape or profiled.shape
    tokens = clean.tokens
    return Manifest(
        schema=SCHEMA,
        version=__version__,
        model=model,
        software=profiled.software,
        device=profiled.device,
        dtype=clean.dtype or profiled.dtype,
        seed=0,
        shape=known or Shape(batch_size=1, frames=0, visual_tokens=0, prompt_tokens=0, new_tokens=tokens),
        coupled=False,
        synchronised=False,
        clock=clean.clock,
        options={**options, "requests": len(measured), "warmed_up": bool(warm and warmup)},
        verification=Verification(status="skipped", reason=reason),
        clean=measured,
        profiled=profiled.requests,
        stages=clean.stages,
        warnings=_warnings(clean),
        memory=clean.memory,
    )


def _warnings(clean: Sitting) -> list[str]:
    """What makes the figures of a run doubtful."""
    if not clean.beside:
        return []
    of = clean.begun + clean.beside
    why = "another was open on another thread"
    then = "the others shared the machine with them, and their work in the trace belongs to no stage"
    return [f"{clean.beside} of {of} requests were not measured, as {why}; {then}"]

"""Captures: which requests, and which decode steps of them, `torch.profiler` records.

The profiler steps once per request, and inside a request where a decode window begins or ends. A run of
recorded pieces with nothing unrecorded between them is one capture, and is exported as one file.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.profiler import ProfilerAction, ProfilerActivity, profile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    import torch

    from tracer.recording.window import DecodeWindow, Schedule


def _phase(schedule: Schedule, request: int) -> ProfilerAction:
    """What the profiler does in a request: NONE, WARMUP or RECORD."""
    place = request % schedule.cycle
    if place < schedule.wait:
        return ProfilerAction.NONE
    return ProfilerAction.WARMUP if place < schedule.wait + schedule.warmup else ProfilerAction.RECORD


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a request with one profiler action.

    Attributes:
        request: its request.
        before_step: the decode step the piece begins at, or None at the request's start.
        action: what the profiler does during it.
    """

    request: int
    before_step: int | None
    action: ProfilerAction

    @property
    def recording(self) -> bool:
        """Whether its events are kept."""
        return self.action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def plan(schedule: Schedule, window: DecodeWindow, steps: int) -> list[Piece]:
    """Cut the pass into pieces, in order, for requests of `steps` decode steps."""
    none, warmup, record = ProfilerAction.NONE, ProfilerAction.WARMUP, ProfilerAction.RECORD
    bounds = (None, *window.cuts(steps))
    pieces: list[Piece] = []
    upcoming = none
    # Backwards, because what a piece must do at its end depends on the one behind it.
    for request in reversed(range(schedule.requests)):
        phase = _phase(schedule, request)
        for number in reversed(range(len(bounds))):
            action = phase
            if phase is record and number % 2:  # the pieces of a recorded request are kept by turns
                action = none if upcoming is none else warmup
            elif phase is record:
                last = number == len(bounds) - 1 and (request + 1) % schedule.cycle == 0
                action = record if upcoming is record and not last else ProfilerAction.RECORD_AND_SAVE
            pieces.append(Piece(request, bounds[number], action))
            upcoming = record if pieces[-1].recording else action
    return pieces[::-1]


class Capture(AbstractContextManager["Capture"]):
    """Runs `torch.profiler` through the pieces of a plan and exports each capture into a folder."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        folder: Path,
        *,
        device: torch.device,
        with_stack: bool = False,
        record_shapes: bool = False,
        memory: bool = False,
    ) -> None:
        self._pieces = pieces
        self._folder = folder
        self._position = 0
        self._abandoned = False
        self.files: list[Path] = []
        activities = [ProfilerActivity.CPU]
        if device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        self._profile = profile(
            activities=activities,
            schedule=self._action,
            on_trace_ready=self._export,
            with_stack=with_stack,
            with_modules=with_stack,
            record_shapes=record_shapes,
            profile_memory=memory,
        )

    def __enter__(self) -> Capture:
        self._profile.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._abandoned = kind is not None
        self._profile.__exit__(kind, error, traceback)

    @property
    def recording(self) -> bool:
        """Whether events are being kept now."""
        return self._position < len(self._pieces) and self._pieces[self._position].recording

    def recorded(self, request: int) -> bool:
        """Whether any piece of a request is kept."""
        return any(piece.recording for piece in self._pieces if piece.request == request)

    def switches_before(self, step: int) -> bool:
        """Whether a new piece begins at this decode step of the current request."""
        following = self._position + 1
        return following < len(self._pieces) and self._pieces[following].before_step == step

    def step(self) -> None:
        """Go on to the next piece."""
        self._position += 1
        self._profile.step()

    def end_request(self) -> None:
        """Go on to the first piece of the next request; an answer may have ended before the window."""
        request = self._pieces[self._position].request
        while self._position < len(self._pieces) and self._pieces[self._position].request == request:
            self.step()

    def _action(self, step: int) -> ProfilerAction:
        return self._pieces[step].action if step < len(self._pieces) else ProfilerAction.NONE

    def _export(self, finished: profile) -> None:
        if self._abandoned:  # after an error or an interrupt nobody waits for the file
            return
        path = self._folder / f"capture-{len(self.files)}.json"
        finished.export_chrome_trace(str(path))
        self.files.append(path)

"""The pieces that a profiled pass is cut into, each with one action of the profiler."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torch.profiler import ProfilerAction

from tracer.recording.window import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.recording.window import DecodeWindow

_ONE_REQUEST = Schedule(wait=0, warmup=0, active=1, repeat=1)


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


def before(request: int) -> int:
    """What stands for the request of the pieces that prepare for one: a negative number."""
    return -1 - request


def plan_apart(recorded: Sequence[int], window: DecodeWindow, steps: int) -> list[Piece]:
    """Cut a run into pieces in which each recorded request is a capture of its own.

    What lies between requests is somebody else's code, so the profiler is off there. Before each recorded request
    there are two pieces, off and warm-up, which belong to none (`before`).
    """
    pieces: list[Piece] = []
    for request in recorded:
        leading = before(request)
        pieces += [Piece(leading, None, ProfilerAction.NONE), Piece(leading, None, ProfilerAction.WARMUP)]
        pieces += [replace(piece, request=request) for piece in plan(_ONE_REQUEST, window, steps)]
    return pieces

"""The recorder where a profiler listens: ranges around requests and stages, and a capture that is steered by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tracer.document.names import DECODE, DRAFT, MAP, REQUEST, VERIFY
from tracer.recording.clocks import synchronise
from tracer.recording.laps import SWITCHING, Label
from tracer.recording.marks import ForkedMarks, Marks
from tracer.recording.ranges import RangeEmitter
from tracer.recording.world.world import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from tracer.recording.capture import Capture

# What a decode window counts: steps, and rounds of speculative decoding, whose parts have one number.
STEPS = (DECODE, DRAFT, MAP, VERIFY)


class RangedMarks(Marks):
    """Opens a range around each request and stage, and takes the same marks as without.

    Args:
        device, adjoining, numbers, meet: see `Marks`.
        emitter: opens the ranges.
        sync_stages: whether to synchronise the device at the end of each stage.
    """

    def __init__(
        self,
        device: torch.device | None = None,
        *,
        adjoining: bool = False,
        numbers: Sequence[int] = (),
        meet: Callable[[], None] = ALONE.meet,
        emitter: RangeEmitter | None = None,
        sync_stages: bool = False,
    ) -> None:
        super().__init__(device, adjoining=adjoining, numbers=numbers, meet=meet)
        self._emitter = emitter or RangeEmitter()
        self._outside = 0
        self._sync_stages = sync_stages

    def _after_begin(self) -> None:
        self._outside = self._emitter.depth
        self._emitter.push(REQUEST, self.number)

    def _before_stage(self, stage: str, index: int | None) -> None:
        self._emitter.push(stage, index)

    def _after_stage(self) -> None:
        if self._sync_stages:
            synchronise(self.device)
        self._emitter.pop()

    def _say(self, kind: str) -> None:
        self._emitter.push(kind)
        self._emitter.pop()

    def _for_thread(self, device: torch.device, number: int) -> Marks:
        return _ForkedRanges(device, adjoining=True, numbers=[number], emitter=self._emitter)

    def _before_end(self) -> None:
        self._emitter.close_down_to(self._outside)  # an interrupt may have left more open than the request's


class _ForkedRanges(RangedMarks, ForkedMarks):
    """Likewise those of another thread (see `ForkedMarks`)."""


class ProfiledMarks(RangedMarks):
    """Steers a capture besides, which ends where this does as a context manager.

    Where the capture begins or ends inside a request (a decode window), all ranges are closed and opened again around
    the switch, so that ranges always nest.

    Args:
        capture_on: makes the capture once the device is known, at the first request.
        device, adjoining, meet: see `Marks`.
        emitter, sync_stages: see `RangedMarks`.
    """

    def __init__(
        self,
        capture_on: Callable[[torch.device], Capture],
        device: torch.device | None = None,
        *,
        adjoining: bool = False,
        meet: Callable[[], None] = ALONE.meet,
        emitter: RangeEmitter | None = None,
        sync_stages: bool = False,
    ) -> None:
        super().__init__(device, adjoining=adjoining, meet=meet, emitter=emitter, sync_stages=sync_stages)
        self._capture_on = capture_on
        self.capture: Capture | None = None

    @property
    def files(self) -> list[Path]:
        """One for each capture, in order."""
        return [] if self.capture is None else self.capture.files

    def _look(self) -> None:
        """Where a profiler is on, it is ours."""

    def _settle(self) -> None:
        synchronise(self.device)
        if self.capture is None or not self.capture.recording:  # else it would be recorded between two requests
            super()._settle()

    def _before_request(self) -> None:
        if self.capture is None:
            self.capture = self._capture_on(self.device)
            self.capture.__enter__()
        while self.capture.leads_to(self.number):
            self.capture.step()
            if not self.capture.recording:
                # The first kernel under a profiler waits for it to set itself up.
                torch.zeros(1, device=self.device)
                synchronise(self.device)

    def _before_stage(self, stage: str, index: int | None) -> None:
        capture = self.capture
        if stage in STEPS and index is not None and capture is not None and capture.is_in(self.number):
            self._switch(capture, index)
        super()._before_stage(stage, index)

    def _switch(self, capture: Capture, step: int) -> None:
        """Close all that is open while the profiler is switched before a step, so that ranges always nest."""
        if not capture.switches_before(step):
            return
        for _ in range(len(self._open) + 1):
            self._emitter.pop()
        synchronise(self.device)
        capture.step()
        self._meet()  # starting and stopping takes one rank longer than another
        self._emitter.push(REQUEST, self.number)
        for stage, index in self._open:
            self._emitter.push(stage, index)
        self._lap(SWITCHING)

    def _lap(self, label: Label) -> None:
        # Of the decode steps only those count that the profiler saw.
        unseen = label[0] in STEPS and label[1] is not None and not (self.capture and self.capture.recording)
        super()._lap(SWITCHING if unseen else label)

    def _after_request(self, *, failed: bool) -> None:
        capture = self.capture
        if not failed and (capture is None or not capture.recorded(self.number)):
            self.requests.pop()
        if capture is None or not capture.is_in(self.number):
            return
        if not failed:
            synchronise(self.device)
        capture.end_request(keep=not failed)

    def __enter__(self) -> ProfiledMarks:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Have the profiler end."""
        if self.capture is not None:
            self.capture.__exit__(kind, error, traceback)

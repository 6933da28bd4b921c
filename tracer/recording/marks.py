"""What `tracer.request` and `tracer.stage` do in a recording: clock marks, and ranges where a profiler listens.

Nobody knows beforehand where the marks stand: stages may nest, repeat, leave gaps or be missing. So a clock mark is
taken wherever a stage begins or ends, and the time between two marks belongs to the innermost stage open then.
"""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tracer.document.manifest import Latencies
from tracer.document.names import DECODE, PREFILL, REQUEST, STAGES
from tracer.recording.clocks import Clock, clock_for, synchronise
from tracer.recording.ranges import RangeEmitter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from tracer.recording.capture import Capture

Label = tuple[str, int | None]
# The time between two marks that lies in no stage, and that in which the profiler was being switched.
GAP: Label = ("", None)
SWITCHING: Label = ("switching", None)


@dataclass(frozen=True, slots=True)
class Marked:
    """What was measured of one request.

    Attributes:
        number: of the request, counted from 0 through all of the process.
        clock: the name of the clock.
        stages: those that it marked.
        latencies: their times.
    """

    number: int
    clock: str
    stages: frozenset[str]
    latencies: Latencies


class Marks:
    """Takes a clock mark at each boundary; implements `tracer.staging.Recorder`.

    A request and its stages are on one thread. Marks elsewhere, and stages outside a request, are counted and leave
    no other trace.

    Attributes:
        device: where the work is done, found out at each request.
        requests: what was measured, of those that did not fail.
        begun: how many requests began and ended.
        beside: how many of them began while another was open on another thread.
        strays: stages that were opened outside a request.
    """

    def __init__(self) -> None:
        self.device = torch.device("cpu")
        self._clock: Clock | None = None
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._depth = 0
        self._open: list[Label] = []
        self._laps: list[Label] = []
        self.requests: list[Marked] = []
        self.begun = 0
        self.beside = 0
        self.strays = 0

    def begin_request(self) -> None:
        """Start from an idle device, and take the first mark."""
        here = threading.get_ident()
        with self._lock:
            if self._thread is not None:
                self._depth += self._thread == here
                self.beside += self._thread != here
                return
            self._thread = here
        device = current_device()
        if self._clock is None or device != self.device:
            self.device, self._clock = device, clock_for(device)
        self._open.clear()
        self._laps.clear()
        try:
            synchronise(device)
            gc.collect()
            self._before_request()
            self._clock.mark()
            self._after_begin()
        except BaseException:  # nobody ends what could not begin
            self._thread = None
            raise

    def end_request(self, *, failed: bool) -> None:
        """Take the last mark and read the clock, unless the request failed."""
        if self._thread != threading.get_ident():
            return
        if self._depth:
            self._depth -= 1
            return
        while self._open:  # left open by an exception
            self.end_stage(*self._open[-1])
        self._before_end()
        clock, number = self._clock, self.begun
        self.begun += 1
        if failed or clock is None:  # after a device's error nothing can be read from it
            self._clock = None
        else:
            self._lap(GAP)
            latencies, stages = measure(self._laps, clock.read())
            self.requests.append(Marked(number, clock.name, stages, latencies))
        self._after_request(failed=failed)
        self._thread = None

    def begin_stage(self, stage: str, index: int | None) -> None:
        """What lies before belongs to the stage around this one, or to none."""
        if self._thread != threading.get_ident():
            self.strays += 1
            return
        self._lap(self._open[-1] if self._open else GAP)
        self._before_stage(stage, index)
        self._open.append((stage, index))

    def end_stage(self, stage: str, index: int | None) -> None:
        """What lies before belongs to this stage."""
        if self._thread != threading.get_ident() or not self._open:
            return
        self._after_stage()
        self._open.pop()
        self._lap((stage, index))

    def _lap(self, label: Label) -> None:
        """The time since the last mark is called so."""
        if self._clock is not None:
            self._clock.mark()
            self._laps.append(label)

    def _before_request(self) -> None:
        """Nothing more is done before the first mark."""

    def _after_begin(self) -> None:
        """Nor behind it."""

    def _before_stage(self, stage: str, index: int | None) -> None:
        """No range is opened."""

    def _after_stage(self) -> None:
        """Nor closed."""

    def _before_end(self) -> None:
        """Nor that of the request."""

    def _after_request(self, *, failed: bool) -> None:
        """Nor is anything done behind the last mark."""


class ProfiledMarks(Marks):
    """Opens ranges besides, and steers a capture.

    Args:
        capture_on: makes the capture once the device is known, at the first request.
    """

    def __init__(self, capture_on: Callable[[torch.device], Capture]) -> None:
        super().__init__()
        self._capture_on = capture_on
        self._emitter = RangeEmitter()
        self.capture: Capture | None = None

    @property
    def _recorded(self) -> bool:
        """Whether the request that is open, or was last, is one to record."""
        return self.capture is not None and self.capture.recorded(self.begun)

    def _before_request(self) -> None:
        if self.capture is None:
            self.capture = self._capture_on(self.device)
            self.capture.__enter__()
        if self._recorded:
            self.capture.step()
            # The first kernel under a profiler waits for it to set itself up.
            torch.zeros(1, device=self.device)
            synchronise(self.device)
            self.capture.step()

    def _after_begin(self) -> None:
        self._emitter.push(REQUEST, self.begun)

    def _before_stage(self, stage: str, index: int | None) -> None:
        capture = self.capture if stage == DECODE and self._recorded else None
        if capture is not None and index is not None and capture.switches_before(index):
            self._switch(capture)
        self._emitter.push(stage, index)

    def _switch(self, capture: Capture) -> None:
        """Close all that is open while the profiler is switched, so that ranges always nest."""
        for _ in range(len(self._open) + 1):
            self._emitter.pop()
        synchronise(self.device)
        capture.step()
        self._emitter.push(REQUEST, self.begun)
        for stage, index in self._open:
            self._emitter.push(stage, index)
        self._lap(SWITCHING)

    def _lap(self, label: Label) -> None:
        # Of the decode steps only those count that the profiler saw.
        unseen = label[0] == DECODE and label[1] is not None and not (self.capture and self.capture.recording)
        super()._lap(SWITCHING if unseen else label)

    def _after_stage(self) -> None:
        self._emitter.pop()

    def _before_end(self) -> None:
        self._emitter.pop()

    def _after_request(self, *, failed: bool) -> None:
        number = self.begun - 1
        if self.capture is None or not self.capture.recorded(number):
            if not failed:
                self.requests.pop()
            return
        if not failed:
            synchronise(self.device)
        before = len(self.capture.files)
        self.capture.end_request()
        if failed:
            del self.capture.files[before:]

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


def current_device() -> torch.device:
    """The GPU that this process uses, if it uses one."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def measure(labels: Sequence[Label], laps_ns: Sequence[int]) -> tuple[Latencies, frozenset[str]]:
    """Sort the laps of one request by stage.

    Returns:
        The latencies, and the stages that were marked. A gap directly before a decode step, and behind prefill or
        another step, belongs to that step: token k is there when step k ends, counted from the token before.
    """
    times = dict.fromkeys(STAGES, 0)
    steps: dict[int, int] = {}
    outside = later = pending = 0
    prefilled = False
    for (stage, index), lap_ns in zip(labels, laps_ns, strict=True):
        if (stage, index) == GAP:
            pending += lap_ns
        elif stage == DECODE and index is not None:
            steps[index] = steps.get(index, 0) + lap_ns + (pending if prefilled else 0)
            outside += 0 if prefilled else pending
            pending = 0
        elif (stage, index) == SWITCHING:
            pending = 0
        else:
            times[stage] += lap_ns
            later, outside = (later + pending, outside) if prefilled else (later, outside + pending)
            pending = 0
        prefilled = prefilled or stage == PREFILL
    later, outside = (later + pending, outside) if prefilled else (later, outside + pending)
    marked = frozenset(stage for stage, _ in labels if stage in STAGES)
    latencies = Latencies(
        load_ns=times["load"],
        preprocess_ns=times["preprocess"],
        vision_ns=times["vision"],
        prefill_ns=times[PREFILL],
        decode_ns=[steps[index] for index in sorted(steps)],
        first_step=min(steps, default=1),
        decode_whole_ns=times[DECODE],
        outside_ns=outside,
        outside_later_ns=later,
    )
    return latencies, marked

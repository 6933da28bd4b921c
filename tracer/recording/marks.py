"""The recorder: a clock mark at each boundary of a stage, whoever tells of it.

`tracer.request` and `tracer.stage` in somebody's own code tell it, and so does the hook around a staged model
(`hooks.py`). Nobody knows beforehand where marks in code of one's own stand: stages may nest, repeat, leave gaps or be
missing. So there a clock mark is taken wherever a stage begins or ends, and the time between two marks belongs to the
innermost stage open then. The stages of a staged model adjoin: two neighbours share one mark, and no time is between.
"""

from __future__ import annotations

import gc
import threading
from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch._C._autograd import _profiler_enabled
from torch.autograd import profiler

from tracer.document.names import passes_kind, result_kind
from tracer.recording.clocks import Clock, clock_for, synchronise
from tracer.recording.laps import GAP, Label, measure
from tracer.recording.world.world import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracer.document.manifest import Latencies

# What is wrong with code that does.
PROFILES_ITSELF = "it starts a profiler of its own (torch.profiler), and one can record at a time"
# What torch's profilers begin with.
ENABLE = "_enable_profiler"
# What stands for the open request, in the task that opened it and in those that it started.
_request: ContextVar[object] = ContextVar("tracer_request", default=None)


@dataclass(frozen=True, slots=True)
class MeasuredRequest:
    """What was measured of one request.

    Attributes:
        number: of the request, counted from 0 through all of the process unless it was given.
        clock: the name of the clock.
        stages: those that it marked.
        latencies: their times.
        checks: drafted and accepted tokens of each pass that checked a draft.
        beside: times of what another thread did for it at the same time.
    """

    number: int
    clock: str
    stages: frozenset[str]
    latencies: Latencies
    checks: tuple[tuple[int, int], ...] = ()
    beside: Latencies | None = None


class Marks:
    """Takes a clock mark at each boundary; implements `tracer.staging.Recorder`.

    A request and its stages are on one thread and in one task of it. Marks elsewhere, and stages outside a request, are
    counted and leave no other trace.

    Args:
        device: where the work is done; None to find it out at each request.
        adjoining: whether each stage begins where the one before ends, so that ends alone are marked.
        numbers: of the requests, in order; by default they count from 0.
        meet: waits for the other ranks of the run, so that all begin together.

    Attributes:
        device: where the work is done.
        requests: what was measured, of those that did not fail.
        begun: how many requests began and ended.
        beside: how many of them began while another was open on another thread.
        interleaved: how many began while another was open on the same thread, in another task.
        profiled_itself: whether a profiler that is none of ours was on at any mark.
        strays: stages that were opened outside a request.
    """

    def __init__(
        self,
        device: torch.device | None = None,
        *,
        adjoining: bool = False,
        numbers: Sequence[int] = (),
        meet: Callable[[], None] = ALONE.meet,
    ) -> None:
        self._given = device
        self._meet = meet
        self.device = device or torch.device("cpu")
        self._adjoining = adjoining
        self._numbers = numbers
        self._clock: Clock | None = None
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._token = object()
        self._depth = 0
        self._open: list[Label] = []
        self._laps: list[Label] = []
        self._yielded: Counter[Label] = Counter()
        self._checks: list[tuple[int, int]] = []
        self._fork: Marks | None = None
        self.requests: list[MeasuredRequest] = []
        self.begun = 0
        self.beside = 0
        self.interleaved = 0
        self.strays = 0
        self.profiled_itself = False

    @property
    def number(self) -> int:
        """Of the request that is open, or comes next."""
        return self._numbers[self.begun] if self._numbers else self.begun

    def begin_request(self) -> None:
        """Start from an idle device, and take the first mark."""
        here = threading.get_ident()
        with self._lock:
            if self._thread is not None:
                self._depth += self._is_here()
                self.beside += self._thread != here
                self.interleaved += self._thread == here and not self._is_here()
                return
            self._thread, self._token = here, object()
        _request.set(self._token)
        self._look()
        device = self._given or current_device()
        if self._clock is None or device != self.device:
            self.device, self._clock = device, clock_for(device)
        self._open.clear()
        self._laps.clear()
        self._yielded.clear()
        self._checks.clear()
        self._fork = None
        try:
            self._settle()
            self._before_request()
            self._meet()
            self._clock.mark()
            self._after_begin()
        except BaseException:  # nobody ends what could not begin
            self._thread = None
            raise

    def end_request(self, *, failed: bool) -> None:
        """Take the last mark and read the clock, unless the request failed."""
        if not self._is_here():
            return
        self._look()
        if self._depth:
            self._depth -= 1
            return
        while self._open:  # left open by an exception
            self.end_stage(*self._open[-1])
        self._before_end()
        clock, number = self._clock, self.number
        if failed or clock is None:  # after a device's error nothing can be read from it
            self._clock = None
        else:
            if not self._adjoining:
                self._lap(GAP)
            latencies, stages = measure(self._laps, clock.read(), self._yielded)
            beside = self._fork.requests[-1].latencies if self._fork and self._fork.requests else None
            checks = tuple(self._checks)
            self.requests.append(MeasuredRequest(number, clock.name, stages, latencies, checks, beside))
        try:
            self._after_request(failed=failed)
        finally:
            self.begun += 1
            self._thread = None

    def begin_stage(self, stage: str, index: int | None) -> None:
        """What lies before belongs to the stage around this one, or to none."""
        if not self._is_here():
            self.strays += 1
            return
        self._look()
        if not self._adjoining:
            self._lap(self._open[-1] if self._open else GAP)
        self._before_stage(stage, index)
        self._open.append((stage, index))

    def end_stage(self, stage: str, index: int | None) -> None:
        """What lies before belongs to this stage."""
        if not self._is_here() or not self._open:
            return
        self._look()
        self._after_stage()
        self._open.pop()
        self._lap((stage, index))

    def yielded(self, tokens: int) -> None:
        """The stage that is open has yielded so many tokens more, of each sequence."""
        if self._is_here() and self._open:
            self._yielded[self._open[-1]] += tokens

    def checked(self, drafted: int, accepted: int) -> None:
        """The stage that is open has checked a draft: it yields what it accepts, and a token more."""
        if self._is_here() and self._open:
            self._yielded[self._open[-1]] += accepted + 1
            self._checks.append((drafted, accepted))
            self._say(result_kind(drafted, accepted))

    def passed(self, made: int) -> None:
        """The stage that is open has made so many forward passes."""
        if self._is_here() and self._open:
            self._say(passes_kind(made))

    def forked(self, device: torch.device) -> Marks:
        """Marks for another thread that works on the open request; it opens and ends the request for itself.

        Args:
            device: where that thread's work is done, whose clock tells its time.
        """
        self._fork = self._for_thread(device, self.number)
        return self._fork

    def _for_thread(self, device: torch.device, number: int) -> Marks:
        return ForkedMarks(device, adjoining=True, numbers=[number])

    def _is_here(self) -> bool:
        """Whether the open request is of this thread and task."""
        return self._thread == threading.get_ident() and _request.get() is self._token

    def _look(self) -> None:
        """Notice somebody else's profiler: two at a time end the process."""
        self.profiled_itself |= _profiler_enabled()

    def _lap(self, label: Label) -> None:
        """The time since the last mark is called so."""
        if self._clock is not None:
            self._clock.mark()
            self._laps.append(label)

    def _settle(self) -> None:
        """Have the device idle, and no garbage whose collection would fall into the measurement."""
        synchronise(self.device)
        gc.collect()

    def _before_request(self) -> None:
        """Nothing more is done before the first mark."""

    def _after_begin(self) -> None:
        """Nor behind it."""

    def _before_stage(self, stage: str, index: int | None) -> None:
        """No range is opened."""

    def _after_stage(self) -> None:
        """Nor closed."""

    def _say(self, kind: str) -> None:
        """Nor does any say what came of a stage."""

    def _before_end(self) -> None:
        """Nor that of the request."""

    def _after_request(self, *, failed: bool) -> None:
        """Nor is anything done behind the last mark."""


class ForkedMarks(Marks):
    """The marks of another thread of a request: nothing is waited for, and the stages are those of one model."""

    def _settle(self) -> None:
        """The device is at work."""

    def _look(self) -> None:
        """The first thread does."""

    def _lap(self, label: Label) -> None:
        super()._lap((label[0].rpartition("/")[2], label[1]))


@contextmanager
def noticing_profilers(marks: Marks) -> Iterator[None]:
    """While open, somebody else's profiler is noticed also where it begins and ends between two marks."""
    enable = getattr(profiler, ENABLE, None)
    if enable is None:  # another version of torch
        yield
        return

    def enable_and_tell(*arguments: Any, **options: Any) -> Any:
        marks.profiled_itself = True
        return enable(*arguments, **options)

    setattr(profiler, ENABLE, enable_and_tell)
    try:
        yield
    finally:
        setattr(profiler, ENABLE, enable)


def current_device() -> torch.device:
    """The GPU that this process uses, if it uses one."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")

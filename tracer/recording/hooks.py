"""What the passes put around the stages: marks for latencies, ranges for attribution."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import TYPE_CHECKING

import torch

from tracer.document.manifest import Latencies
from tracer.document.names import DECODE, ENCODER, REQUEST
from tracer.recording.clocks import Clock, synchronise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

    from tracer.recording.capture import Capture
    from tracer.recording.ranges import RangeEmitter

# The time between two marks that belongs to no stage: the profiler was being switched in between.
NOTHING = ("", None)


class StopwatchHook:
    """Takes a mark at each stage boundary; the stages' times add up to the request's.

    Two neighbouring stages share one mark, so no time falls between them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._labels: list[tuple[str, int | None]] = []
        self.requests: list[Latencies] = []

    @contextmanager
    def request(self) -> Iterator[None]:
        """Enclose one request; its latencies are appended to `requests` at the end."""
        self._labels.clear()
        self._clock.mark()
        yield
        self.requests.append(_latencies(self._labels, self._clock.read()))

    def stage(self, stage: str, index: int | None = None) -> AbstractContextManager[None]:
        """Enclose one stage."""
        return _StageMark(self, stage, index)

    def lap(self, stage: str, index: int | None) -> None:
        """End a stage here and begin the next."""
        self._clock.mark()
        self._labels.append((stage, index))


class _StageMark(AbstractContextManager[None]):
    __slots__ = ("_hook", "_index", "_stage")

    def __init__(self, hook: StopwatchHook, stage: str, index: int | None) -> None:
        self._hook, self._stage, self._index = hook, stage, index

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._hook.lap(self._stage, self._index)


def _latencies(labels: Sequence[tuple[str, int | None]], laps_ns: Sequence[int]) -> Latencies:
    """Sort the laps of one request by stage."""
    times: dict[str, int] = {}
    steps: dict[int, int] = {}
    for (stage, index), lap_ns in zip(labels, laps_ns, strict=True):
        if stage == DECODE and index is not None:
            steps[index] = lap_ns
        else:
            times[stage] = lap_ns
    return Latencies(
        load_ns=times["load"],
        preprocess_ns=times["preprocess"],
        vision_ns=times["vision"],
        prefill_ns=times["prefill"],
        decode_ns=list(steps.values()),
        first_step=min(steps, default=1),
    )


class RangedHook(StopwatchHook):
    """Opens ranges around requests and stages, and takes the same marks as the clean pass.

    Args:
        clock: takes the marks.
        emitter: opens the ranges.
        numbers: of the requests, in order.
        device: which to synchronise.
        sync_stages: whether to, at the end of each stage.
    """

    def __init__(
        self,
        clock: Clock,
        emitter: RangeEmitter,
        *,
        numbers: Iterable[int],
        device: torch.device,
        sync_stages: bool = False,
    ) -> None:
        super().__init__(clock)
        self._emitter = emitter
        self._numbers = iter(numbers)
        self._device = device
        self._sync_stages = sync_stages
        self._request = -1

    @contextmanager
    def request(self) -> Iterator[None]:
        """Enclose one request."""
        self._request = next(self._numbers)
        with super().request(), self._emitter.closing_all():
            self._emitter.push(REQUEST, self._request)
            yield
            self._emitter.pop()

    @contextmanager
    def stage(self, stage: str, index: int | None = None) -> Iterator[None]:
        """Enclose one stage."""
        label = self._begin(stage, index)
        self._emitter.push(stage, index)
        yield
        if self._sync_stages:
            synchronise(self._device)
        self._emitter.pop()
        self.lap(*label)

    def _begin(self, stage: str, index: int | None) -> tuple[str, int | None]:
        """What the time until the next mark is to be called."""
        return stage, index


class ProfiledHook(RangedHook):
    """Steers a capture besides.

    Where the capture begins or ends inside a request (a decode window), the request's range is closed and
    opened again around the switch, so that ranges always nest.
    """

    def __init__(
        self,
        clock: Clock,
        emitter: RangeEmitter,
        capture: Capture,
        *,
        device: torch.device,
        sync_stages: bool = False,
    ) -> None:
        super().__init__(clock, emitter, numbers=count(), device=device, sync_stages=sync_stages)
        self._capture = capture

    @contextmanager
    def request(self) -> Iterator[None]:
        """Enclose one request of the schedule."""
        with super().request():
            yield
        if not self._capture.recorded(self._request):
            self.requests.pop()

    def _begin(self, stage: str, index: int | None) -> tuple[str, int | None]:
        if stage == DECODE and index is not None and self._capture.switches_before(index):
            self._switch()
        return (stage, index) if self._capture.recording or stage != DECODE else NOTHING

    def _switch(self) -> None:
        self._emitter.pop()
        synchronise(self._device)
        self._capture.step()
        self._emitter.push(REQUEST, self._request)
        self.lap(*NOTHING)


class EncoderWatch(AbstractContextManager["EncoderWatch"]):
    """Counts the runs of the vision encoder, and puts a range around each if given an emitter."""

    def __init__(self, encoders: Sequence[torch.nn.Module], emitter: RangeEmitter | None = None) -> None:
        self.calls = 0
        self._emitter = emitter
        self._encoders = encoders
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> EncoderWatch:
        for encoder in self._encoders:
            self._handles += [
                encoder.register_forward_pre_hook(self._before),
                encoder.register_forward_hook(self._after, always_call=True),
            ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _before(self, *_: object) -> None:
        if self._emitter is not None:
            self._emitter.push(ENCODER, self.calls)
        self.calls += 1

    def _after(self, *_: object) -> None:
        if self._emitter is not None:
            self._emitter.pop()

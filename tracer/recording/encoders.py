"""Counting the runs of the vision encoder."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from tracer.document.names import ENCODER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    import torch

    from tracer.recording.ranges import RangeEmitter


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

"""Marks where nobody records: ranges for a profiler that is none of ours.

Whoever runs `torch.profiler` themselves, or their script under `nsys profile`, finds the marks in what that writes, as
ranges of the same names as in a recording. Without such a profiler a mark opens nothing. torch is never imported here:
it either is there already, or has no profiler that could listen.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, Any

from tracer import staging
from tracer.document.names import REQUEST, passes_kind, range_name, result_kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

Opened = list["AbstractContextManager[Any]"]
# Of a thread, and within it of a task: what its marks have opened, the innermost first.
_open: ContextVar[tuple[Opened, Any] | None] = ContextVar("tracer_open", default=None)


class Bystander:
    """Opens and closes ranges; implements `tracer.staging.Recorder`."""

    def __init__(self) -> None:
        self._numbers = count()
        self._nvtx = staging.NVTX_LISTENS
        self._enabled: Callable[[], bool] | None = None

    def begin_request(self) -> None:
        """Open a request's range, unless one is open."""
        if self._listens():
            outer = _open.get()
            opened = self._range(REQUEST, next(self._numbers)) if outer is None else []
            _open.set((opened, outer))
        elif (outer := _open.get()) is not None:
            _open.set(([], outer))

    def end_request(self, *, failed: bool) -> None:  # noqa: ARG002 -- the interface's
        """Close it."""
        self._close()

    def begin_stage(self, stage: str, index: int | None) -> None:
        """Open a stage's range."""
        if self._listens():
            _open.set((self._range(stage, index), _open.get()))
        elif (outer := _open.get()) is not None:
            _open.set(([], outer))

    def end_stage(self, stage: str, index: int | None) -> None:  # noqa: ARG002
        """Close it."""
        self._close()

    def yielded(self, tokens: int) -> None:
        """Ranges do not say."""

    def checked(self, drafted: int, accepted: int) -> None:
        """A range without extent says it."""
        self._say(result_kind(drafted, accepted))

    def passed(self, made: int) -> None:
        """Likewise."""
        self._say(passes_kind(made))

    def _say(self, kind: str) -> None:
        if self._listens():
            for one in self._range(kind, None):
                one.__exit__(None, None, None)

    def _listens(self) -> bool:
        return self._nvtx or self._torch_listens()

    def _torch_listens(self) -> bool:
        if self._enabled is None:
            self._enabled = getattr(sys.modules.get("torch._C._autograd"), "_profiler_enabled", None)
        return self._enabled is not None and self._enabled()

    def _range(self, kind: str, index: int | None) -> Opened:
        opened: Opened = []
        if self._nvtx:
            from tracer.recording.annotations import annotation

            opened.append(annotation(kind, index))
        if self._torch_listens():
            from torch.profiler import record_function

            opened.append(record_function(range_name(kind, index)))
        for one in opened:
            one.__enter__()
        return opened

    def _close(self) -> None:
        innermost = _open.get()
        if innermost is None:  # it began before anybody listened
            return
        opened, outer = innermost
        _open.set(outer)
        for one in reversed(opened):
            one.__exit__(None, None, None)

"""The hook around a staged model's stages: it tells the recorder what marks in somebody's own code tell it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    import torch

    from tracer.recording.marks import Marks


class RecorderHook:
    """Passes the boundaries of requests and stages on to a recorder; implements `model.staged.StageHook`."""

    def __init__(self, recorder: Marks) -> None:
        self._recorder = recorder

    def request(self) -> AbstractContextManager[None]:
        """Enclose one request."""
        return _Request(self._recorder)

    def checked(self, drafted: int, accepted: int) -> None:
        """Say in a stage that checks a draft what came of it; see `model.speculative.loop.RoundHook`."""
        self._recorder.checked(drafted, accepted)

    def passed(self, made: int) -> None:
        """Say in a stage how many forward passes it made."""
        self._recorder.passed(made)

    def beside(self, device: torch.device) -> RecorderHook:
        """The hook for another thread that works on the open request, on a device that may be another."""
        return RecorderHook(self._recorder.forked(device))

    def stage(self, stage: str, index: int | None = None) -> AbstractContextManager[None]:
        """Enclose one stage."""
        return _Stage(self._recorder, stage, index)


class _Request(AbstractContextManager[None]):
    __slots__ = ("_recorder",)

    def __init__(self, recorder: Marks) -> None:
        self._recorder = recorder

    def __enter__(self) -> None:
        self._recorder.begin_request()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._recorder.end_request(failed=kind is not None)


class _Stage(AbstractContextManager[None]):
    __slots__ = ("_index", "_recorder", "_stage")

    def __init__(self, recorder: Marks, stage: str, index: int | None) -> None:
        self._recorder, self._stage, self._index = recorder, stage, index

    def __enter__(self) -> None:
        self._recorder.begin_stage(self._stage, self._index)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._recorder.end_stage(self._stage, self._index)

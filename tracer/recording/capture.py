"""Captures: which requests, and which decode steps of them, `torch.profiler` records.

The profiler steps once per request, and inside a request where a decode window begins or ends. A run of
recorded pieces with nothing unrecorded between them is one capture, and is exported as one file.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import torch
from torch._C._profiler import _ExperimentalConfig
from torch.profiler import ProfilerAction, ProfilerActivity, profile

from tracer.document.errors import MissingError
from tracer.recording.pieces import before

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from tracer.recording.pieces import Piece


class Capture(AbstractContextManager["Capture"]):
    """Runs `torch.profiler` through the pieces of a plan and exports each capture into a folder."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        folder: Path,
        device: torch.device,
        *,
        with_stack: bool = False,
        record_shapes: bool = False,
        memory: bool = False,
        all_threads: bool = False,
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
            experimental_config=_all_threads() if all_threads else None,
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

    def leads_to(self, request: int) -> bool:
        """Whether the current piece prepares for a request that has not begun (see `pieces.before`)."""
        return self.is_in(before(request))

    def is_in(self, request: int) -> bool:
        """Whether the current piece is one of this request's."""
        return self._position < len(self._pieces) and self._pieces[self._position].request == request

    def end_request(self, *, keep: bool = True) -> None:
        """Go on to the first piece of the next request; an answer may have ended before the window.

        Args:
            keep: whether what is being recorded is exported; a request that failed is not.
        """
        request = self._pieces[self._position].request
        self._abandoned = not keep
        while self.is_in(request):
            self.step()
        self._abandoned = False

    def _action(self, step: int) -> ProfilerAction:
        return self._pieces[step].action if step < len(self._pieces) else ProfilerAction.NONE

    def _export(self, finished: profile) -> None:
        if self._abandoned:  # after an error or an interrupt nobody waits for the file
            return
        path = self._folder / f"capture-{len(self.files)}.json"
        finished.export_chrome_trace(str(path))
        self.files.append(path)


def _all_threads() -> _ExperimentalConfig:
    """What has the profiler see threads that did not start it.

    Raises:
        MissingError: this torch cannot.
    """
    try:
        return _ExperimentalConfig(profile_all_threads=True)
    except TypeError:
        raise MissingError(
            f"torch {torch.__version__} profiles one thread alone: --schedule overlapped takes a newer one"
        ) from None

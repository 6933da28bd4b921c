"""Stage ranges, emitted at once for both kinds of profiler.

NVTX ranges do not reach Chrome traces and `record_function` ranges do not reach Nsight, so each range is
both: a push/pop range in the NVTX domain `tracer` (category = kind, payload = index) and a `record_function`.
With no profiler attached a pair costs about a microsecond (see benchmarks/range_cost.py).
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING

import nvtx
from torch._C._autograd import _profiler_enabled
from torch.profiler import record_function

from tracer.document.names import DOMAIN, range_name
from tracer.recording.annotations import annotation

if TYPE_CHECKING:
    from types import TracebackType


Opened = list[tuple[nvtx.annotate, record_function | None]]


class RangeEmitter:
    """Opens and closes ranges, on each thread last opened first closed.

    Args:
        everywhere: whether a profiler that sees all threads listens: torch does not say so when asked.
    """

    def __init__(self, *, everywhere: bool = False) -> None:
        self._everywhere = everywhere
        self._of_thread = threading.local()
        self._annotation = lru_cache(maxsize=4096)(annotation)

    def push(self, kind: str, index: int | None = None) -> None:
        """Open a range of the grammar."""
        annotated = self._annotation(kind, index)
        annotated.__enter__()
        # record_function costs 15 us even when nobody listens, so ask first.
        recorded = None
        if self._everywhere or _profiler_enabled():
            recorded = record_function(range_name(kind, index))
            recorded.__enter__()
        self._open.append((annotated, recorded))

    def pop(self) -> None:
        """Close the range opened last."""
        annotated, recorded = self._open.pop()
        if recorded is not None:
            recorded.__exit__(None, None, None)
        annotated.__exit__(None, None, None)

    def mark(self, text: str) -> None:
        """Leave a mark, which only Nsight sees."""
        nvtx.mark(text, domain=DOMAIN)

    @property
    def _open(self) -> Opened:
        """What this thread has opened."""
        try:
            opened: Opened = self._of_thread.opened
        except AttributeError:
            opened = self._of_thread.opened = []
        return opened

    @property
    def depth(self) -> int:
        """How many ranges are open."""
        return len(self._open)

    def close_down_to(self, depth: int) -> None:
        """Close ranges until so many are open: torch complains of those without an end."""
        while len(self._open) > depth:
            self.pop()


class Range:
    """A reusable context manager around one kind of range."""

    __slots__ = ("_emitter", "_index", "_kind")

    def __init__(self, emitter: RangeEmitter, kind: str, index: int | None = None) -> None:
        self._emitter, self._kind, self._index = emitter, kind, index

    def __enter__(self) -> None:
        self._emitter.push(self._kind, self._index)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._emitter.pop()

"""What a second reading of the same file found, put beside what the first one did."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.arrays import int32
from tracer.packed import replaced

if TYPE_CHECKING:
    from tracer.arrays import I32
    from tracer.trace.columns import Spans, Trace


def beside(trace: Trace, more: Trace) -> Trace:
    """The trace with the operators and the memory of another reading of its file; its own columns stay as they are.

    Args:
        trace: read first.
        more: read for `Want.CPU_OPS`, `Want.MEMORY` or both.
    """
    threads = list(dict.fromkeys([*trace.threads, *more.threads]))
    number = {thread: place for place, thread in enumerate(threads)}
    new = int32([number[thread] for thread in more.threads])
    names = len(trace.strings)
    return replace(
        trace,
        strings=[*trace.strings, *more.strings],
        threads=threads,
        operators=_renumbered(more.cpu_ops, names, new),
        memory=None if more.memory is None else replaced(more.memory, thread=int32(new[more.memory.thread])),
    )


def _renumbered(spans: Spans, names: int, threads: I32) -> Spans:
    return replaced(spans, name=int32(spans.name + names), thread=int32(threads[spans.thread]))

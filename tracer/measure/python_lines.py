"""Which line of Python made a call into the device's runtime, where the profiler recorded stacks.

A frame is named as the profiler names it, `run.py(12): step`: by the line at which the function begins, not the one it
was at. What is asked for is a person's own code; where none encloses the call, a library's, but never torch's.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import numpy as np

from tracer.arrays import int32, int64
from tracer.charge.spans import holding, innermost_span
from tracer.trace.columns import Spans, Want

if TYPE_CHECKING:
    from tracer.arrays import I64, Bools
    from tracer.trace.columns import Trace

# A reading of its own, as frames are most of a file that has them.
NEEDS = Want.FRAMES
# Packages whose frames are not a person's own, beside Python's.
LIBRARIES = frozenset({"accelerate", "numpy", "torch", "tqdm", "transformers", "triton"}) | sys.stdlib_module_names
_BUILT_IN = re.compile(r"<built-in (?:method|function) (\w+)")
_INSTALLED = re.compile(r"(?s:\A.*)/(?:(?:site|dist)-packages|lib/python3\.\d+)/")
_TOP = re.compile(r"(\w+)(?:/|\.py\()")
# Fewer calls than these tell too little of all.
ENOUGH = 20


def sampled_calls(trace: Trace, calls: I64) -> Bools | None:
    """Of which calls it is known where they were made, by the frames that were read beside the rest of a large file.

    None if these tell too little, and all frames have to be read.
    """
    if trace.sampled is None:
        return None
    thread = int64(trace.calls.thread[calls])
    told = innermost_span(trace.sampled.windows, trace.calls.start_ns[calls], thread) >= 0
    return np.asarray(told, dtype=np.bool_) if np.count_nonzero(told) >= ENOUGH else None


def places_of(trace: Trace, calls: I64, framed: Trace) -> list[tuple[str, str]]:
    """Where each call was made: the frame to look at, and in words with what lies between; "" where no frame tells.

    Args:
        trace: has the calls.
        calls: indices of host calls.
        framed: another reading of the same file, with its `frames`.
    """
    names = framed.strings
    built_in = np.array([_BUILT_IN.match(name) is not None for name in names], dtype=np.bool_)
    own = np.array([is_own(name) for name in names], dtype=np.bool_)
    number = {thread: place for place, thread in enumerate(framed.threads)}
    renumbered = int64([number.get(thread, -1) for thread in trace.threads])
    times, thread = trace.calls.start_ns[calls], renumbered[trace.calls.thread[calls]]
    frames = framed.frames[holding(framed.frames, times, thread)]

    def innermost(kind: Bools) -> list[int]:
        rows = np.flatnonzero(kind[frames.name])
        chosen = Spans(frames.start_ns[rows], frames.end_ns[rows], int32(frames.name[rows]), int32(frames.thread[rows]))
        found = innermost_span(chosen, times, thread)
        return [int(rows[place]) if place >= 0 else -1 for place in found.tolist()]

    def words(own_frame: int, frame: int, function: int) -> tuple[str, str]:
        if frame < 0:
            return "", ""
        told, nearest = (names[frames.name[row]] for row in (own_frame if own_frame >= 0 else frame, frame))
        text = nearest if own_frame in (frame, -1) else f"{nearest}, called from {told}"
        asked = _BUILT_IN.match(names[frames.name[function]]) if function >= 0 else None
        # Of a frame further out, what it called is known already.
        if asked is not None and frames.start_ns[function] >= frames.start_ns[frame]:
            text = f"{asked[1].removeprefix('_cuda_')}() in {text}"
        return told, text

    return [words(*rows) for rows in zip(innermost(own), innermost(~built_in), innermost(built_in), strict=True)]


def is_own(name: str) -> bool:
    """Whether a frame is of a person's own code, as far as its file tells."""
    if name.startswith("<"):
        return False
    top = _TOP.match(_INSTALLED.sub("", name))
    return top is None or top[1] not in LIBRARIES

"""Keeping slices nested where Python frames were recorded.

A range opens inside the frame of whatever function opens it, and outlives that frame: the two overlap. Perfetto drops
slices that overlap, which are then the ranges, in releases before June 2026; later ones move them to a track apart
of what they hold. Such frames belong to the recorder and to torch's `record_function`, not to the model, so they are
what is left out.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.document.times import microseconds_to_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

_FRAME, _RANGE = "python_function", "user_annotation"


class _Event(msgspec.Struct, gc=False):
    ph: str = ""
    cat: str = ""
    pid: msgspec.Raw = msgspec.Raw(b"")
    tid: msgspec.Raw = msgspec.Raw(b"")
    ts: msgspec.Raw = msgspec.Raw(b"0")
    dur: msgspec.Raw = msgspec.Raw(b"0")


def without_crossing_frames(events: bytes) -> bytes:
    """Take the text of a list of events; return it without the Python frames that cross a range's boundary."""
    texts = msgspec.json.decode(events, type=list[msgspec.Raw])
    parsed = msgspec.json.decode(events, type=list[_Event])
    frames: dict[tuple[bytes, bytes], list[int]] = defaultdict(list)
    ranges: dict[tuple[bytes, bytes], list[int]] = defaultdict(list)
    for number, event in enumerate(parsed):
        if event.ph == "X" and event.cat in (_FRAME, _RANGE):
            thread = bytes(event.pid), bytes(event.tid)
            (frames if event.cat == _FRAME else ranges)[thread].append(number)
    crossing: set[int] = set()
    for thread, own in ranges.items():
        crossing |= _crossing(parsed, frames[thread], own)
    kept = [bytes(text) for number, text in enumerate(texts) if number not in crossing]
    return b"[" + b",\n".join(kept) + b"]"


def _crossing(events: Sequence[_Event], frames: Sequence[int], ranges: Sequence[int]) -> set[int]:
    """The frames that overlap one of the ranges without either holding the other."""
    if not frames:
        return set()
    start, end = (np.array(column) for column in zip(*(_interval(events[i]) for i in frames), strict=True))
    crosses = np.zeros(len(frames), dtype=np.bool_)
    for number in ranges:
        low, high = _interval(events[number])
        crosses |= (start < low) & (low < end) & (end < high)
        crosses |= (low < start) & (start < high) & (high < end)
    return {frames[i] for i in np.flatnonzero(crosses).tolist()}


def _interval(event: _Event) -> tuple[int, int]:
    start = microseconds_to_ns(bytes(event.ts).decode())
    return start, start + microseconds_to_ns(bytes(event.dur).decode())

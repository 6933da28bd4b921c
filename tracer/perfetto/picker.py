"""Picking the events of a part out of the text of a trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tracer.arrays import int64
from tracer.perfetto.candidates import Candidates
from tracer.trace.chrome.categories import CATEGORIES, Group, groups, passed_over
from tracer.trace.chrome.events import UNREADABLE, Event, decoders
from tracer.trace.chrome.layout import UnscannableError
from tracer.trace.chrome.numbers import nanoseconds
from tracer.trace.chrome.repair import repair
from tracer.trace.chrome.scanner import LAST_PLACE, PAIRED
from tracer.trace.chrome.tracks import CATEGORY, PROCESS
from tracer.trace.columns import Want
from tracer.trace.names import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.charge.intervals import Cover
    from tracer.perfetto.kept import Kept
    from tracer.trace.chrome.layout import Layout
    from tracer.trace.chrome.scanner import Text

WANT = Want.SUMMARY | Want.CPU_OPS | Want.FLOWS
_DECODE = decoders(WANT)
_GROUPS = groups(WANT)
_OF_DEVICE = "gpu_user_annotation"
_RANGES = CATEGORIES[Group.RANGE]
_ARROWS = ("s", "t", "f")
_NO_TIME = msgspec.Raw(b"0")


@dataclass(slots=True)
class Picked:
    """What was picked.

    Attributes:
        events: their texts, by the place of what they stood in.
        flows: likewise, of arrows, with what tells which belong together and which end each is.
    """

    events: list[tuple[int, list[bytes]]] = field(default_factory=list)
    flows: list[tuple[str, str, bytes]] = field(default_factory=list)


class Judge:
    """Says of decoded events whether a part holds them."""

    def __init__(self, kept: Kept, drop: frozenset[str]) -> None:
        self._kept, self._drop = kept, drop
        self._call_starts = frozenset((start, track) for start, _, track, _ in kept.calls)
        self._op_starts = frozenset(start for start, _, _ in kept.ops)

    def keeps(self, event: Event, start_ns: int, end_ns: int) -> bool:
        """Whether this one is held; times are 0 where it has none. Flows are held only together, see `flow`."""
        if event.cat in self._drop or event.cat == CATEGORY or str(event.pid) == str(PROCESS):
            return False
        if event.ph == "M":
            return True
        track = cut(str(event.pid)), cut(str(event.tid))
        if event.ph != "X":
            counted = event.ph == "C" and _within(self._kept.near, start_ns, start_ns)
            return counted or self._open(track, start_ns, start_ns)
        group = _GROUPS.get(event.cat, Group.NONE)
        if group is Group.OP:
            return (start_ns, end_ns, cut(event.name)) in self._kept.ops
        if group is Group.CALL and not passed_over(event.name):
            return (start_ns, end_ns, track, cut(event.name)) in self._kept.calls
        if group is Group.CPU_OP and (start_ns, end_ns, cut(event.name)) in self._kept.ops:
            return True
        if event.cat == _OF_DEVICE:
            return _within(self._kept.device, start_ns, end_ns)
        return group is Group.CAPTURE or self._open(track, start_ns, end_ns)

    def flow(self, event: Event, time_ns: int) -> bool:
        """Whether this end of an arrow is at something that may be held."""
        track = cut(str(event.pid)), cut(str(event.tid))
        return (
            (time_ns, track) in self._call_starts or time_ns in self._op_starts or self._open(track, time_ns, time_ns)
        ) and event.cat not in self._drop

    def _open(self, track: tuple[str, str], start_ns: int, end_ns: int) -> bool:
        zone = self._kept.zones.get(track)
        return zone is not None and _within(zone, start_ns, end_ns)


def _within(cover: Cover, start_ns: int, end_ns: int) -> bool:
    """Whether an interval, or an instant, shares time with a cover."""
    place = int(np.searchsorted(cover.start_ns, max(end_ns, start_ns + 1), side="left"))
    return place > 0 and bool(cover.end_ns[place - 1] > start_ns)


class Picker:
    """Scans texts of a file for the events of a part."""

    def __init__(self, kept: Kept, layout: Layout | None, drop: frozenset[str]) -> None:
        self._judge = Judge(kept, drop)
        self._layout = layout
        self._candidates = Candidates(kept.near)
        self._picked = Picked()

    def scan(self, text: Text, place: int = LAST_PLACE) -> None:
        """Pick the events of a text.

        Raises:
            UnscannableError: an event is not where the layout puts it, or depends on others.
        """
        assert self._layout is not None  # noqa: S101 -- texts are cut by it
        content, behind = text.content, text.begin
        stop, keep = self._layout.stop, self._layout.keep
        pieces = []
        for found in self._candidates.places(content, text.begin, text.end):
            if found < behind:
                continue  # of the same event as the one before
            previous = content.rfind(stop, behind, found + 1)
            start = content.find(b"{", behind if previous < 0 else previous + keep, found)
            if start < 0:
                raise UnscannableError
            end = content.find(stop, found, text.end)
            behind = text.end if end < 0 else end + keep
            pieces.append(content[start:behind])
        self.take(pieces, place)

    def take(self, pieces: Sequence[bytes], place: int) -> None:
        """Pick from these events.

        Raises:
            UnscannableError: one depends on others.
        """
        events = _decoded(pieces, certain=self._layout is None or self._layout.certain)
        if any(event.ph in PAIRED for event in events):
            raise UnscannableError
        self.judge(pieces, events, place)

    def judge(self, pieces: Sequence[bytes], events: Sequence[Event], place: int) -> None:
        """Pick from these texts and the events that they are."""
        start, timed = nanoseconds([event.ts for event in events])
        length, _ = nanoseconds([event.dur if bytes(event.dur) else _NO_TIME for event in events])
        endless = [event.ph == "X" and event.cat in _RANGES and not bytes(event.dur) for event in events]
        end = np.where(endless, np.iinfo(np.int64).max, start + length)
        kept = []
        columns = zip(pieces, events, start.tolist(), int64(end).tolist(), timed.tolist(), strict=True)
        for piece, event, low, high, has_time in columns:
            if not has_time and event.ph != "M":
                continue
            if event.ph in _ARROWS:
                if self._judge.flow(event, low):
                    self._picked.flows.append((f"{event.cat}\0{event.id}", event.ph, piece))
            elif self._judge.keeps(event, low, high):
                kept.append(piece)
        if kept:
            self._picked.events.append((place, kept))

    def found(self) -> Picked:
        """What was picked so far."""
        return self._picked


def _decoded(pieces: Sequence[bytes], *, certain: bool) -> list[Event]:
    """The events; where their ends are certain, one that is not JSON is read off its keys.

    Raises:
        UnscannableError: a piece is not one event.
    """
    try:
        events = _DECODE.events(b"[" + b",".join(pieces) + b"]")
    except UNREADABLE:
        found = [decoded_alone(piece) if certain else None for piece in pieces]
        events = [event for event in found if event is not None]
    if len(events) != len(pieces):
        raise UnscannableError
    return events


def decoded_alone(piece: bytes) -> Event | None:
    """One event; None where it is none, even read off its keys."""
    try:
        return _DECODE.event(piece)
    except UNREADABLE:
        return repair(piece)


def together(flows: Sequence[tuple[str, str, bytes]]) -> list[bytes]:
    """The arrows that have both ends."""
    begun = {key for key, phase, _ in flows if phase == "s"}
    ended = {key for key, phase, _ in flows if phase == "f"}
    return [text for key, _, text in flows if key in begun and key in ended]

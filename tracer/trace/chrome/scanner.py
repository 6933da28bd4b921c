"""Reading only the events that are wanted, out of the text of a trace, block by block.

Nine tenths of a trace are Python frames and CPU operators that stage attribution never touches. One compiled pattern
finds the categories that are wanted; the event around each find is cut out and decoded with its block's others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tracer.trace.chrome.categories import Group, wanted_pattern
from tracer.trace.chrome.collector import Collector
from tracer.trace.chrome.events import Event, decode_event, decode_events
from tracer.trace.chrome.repair import repair

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracer.trace.chrome.layout import Layout
    from tracer.trace.columns import Want

# Phases whose meaning depends on other events, wherever those are: such a file is read as one document.
PAIRED = frozenset("BE")


# So many events are decoded at once.
BATCH = 4096


class UnscannableError(Exception):
    """The file is not laid out as its head promised; it must be read as one document."""


class Scanner:
    """Scans parts of a file into a collector.

    Attributes:
        collector: the wanted events so far; complete after `flush`.
        events: events seen, wanted or not.
    """

    def __init__(self, layout: Layout, want: Want) -> None:
        self.collector = Collector(want)
        self.events = 0
        self._layout = layout
        self._find = wanted_pattern(want).finditer
        self._pieces: dict[Group, list[bytes]] = {group: [] for group in Group}
        self._place = 0

    def scan(self, text: bytes, end: int) -> None:
        """Take in the text up to `end`; it begins behind an event, and `end` is behind another.

        Raises:
            UnscannableError: an event was not where the layout puts it.
        """
        self.events += text.count(self._layout.phase, 0, end)
        stop, keep = self._layout.stop, self._layout.keep
        find, find_last, pieces = text.find, text.rfind, self._pieces
        behind = 0
        for match in self._find(text, 0, end):
            low, high = match.span()
            previous = find_last(stop, behind, low)
            start = find(b"{", behind if previous < 0 else previous + keep, low)
            # Found before the last event's end, there are two categories in what should be one event.
            if low < behind or start < 0:
                raise UnscannableError
            behind = find(stop, high, end) + keep
            if behind < keep:
                behind = end
            pieces[match.lastindex].append(text[start:behind])  # type: ignore[index]
        if any(len(waiting) > BATCH for waiting in pieces.values()):
            self.flush()

    def flush(self) -> None:
        """Decode what is waiting.

        Raises:
            UnscannableError: an event was not where the layout puts it.
        """
        for group, waiting in self._pieces.items():
            if waiting:
                events = _decode(waiting)
                self.collector.add_group(group, events if group is Group.FLOW else _complete(events), self._place)
                waiting.clear()

    def move_to(self, place: int) -> None:
        """Go on elsewhere in the file: what follows has this place in its order.

        Raises:
            UnscannableError: an event was not where the layout puts it.
        """
        self.flush()
        self._place = place


def _complete(events: list[Event]) -> list[Event]:
    """The complete events among these, usually all.

    Raises:
        UnscannableError: there are beginnings or ends among them.
    """
    if all(event.ph == "X" for event in events):
        return events
    if not PAIRED.isdisjoint(event.ph for event in events):
        raise UnscannableError
    return [event for event in events if event.ph == "X"]


def _decode(pieces: list[bytes]) -> list[Event]:
    """Decode events, all at once if they are well-formed.

    Raises:
        UnscannableError: a piece is not one event.
    """
    try:
        events = decode_events(b"[" + b",".join(pieces) + b"]")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [_decode_alone(piece) for piece in pieces]
    if len(events) != len(pieces):
        raise UnscannableError
    return events


def _decode_alone(piece: bytes) -> Event:
    """Decode one event whose batch did not decode; read off its keys what is not JSON."""
    try:
        return decode_event(piece)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        event = repair(piece)
    if event is None:
        raise UnscannableError
    return event


@dataclass(frozen=True, slots=True)
class Text:
    """A part of a file.

    Attributes:
        content: begins behind an event.
        end: offset behind the last whole event.
        last: whether the file ends here; the content then has all that is left of it.
    """

    content: bytes
    end: int
    last: bool


def texts(blocks: Iterable[bytes], layout: Layout, *, inside: bool = False, limit: int | None = None) -> Iterator[Text]:
    """Cut a stream of blocks at ends of events.

    Args:
        blocks: the stream.
        layout: says where events end.
        inside: the stream begins anywhere in the list of events: what comes before the first end of an event is
            left out, for whoever reads the part before.
        limit: offset in the stream; the first event whose end begins there or later is the last. None reads all.
    """
    stop, keep = layout.stop, layout.keep
    ready: Text | None = None
    rest: list[bytes] = []
    offset = 0  # of what is in `rest`
    for block in blocks:
        if stop not in block and (not rest or stop not in rest[-1][1 - len(stop) :] + block[: len(stop)]):
            rest.append(block)  # in the middle of a very long event
            continue
        content = b"".join([*rest, block])
        if inside:
            first = content.find(stop) + keep
            content, offset, inside = content[first:], offset + first, False
        if limit is not None and offset + len(content) > limit:
            last = content.find(stop, max(0, limit - offset))
            if last >= 0:
                if ready is not None:
                    yield ready
                yield Text(content, last + keep, last=False)
                return
        end = content.rfind(stop) + keep
        if end < keep:
            rest = [content]
            continue
        if ready is not None:
            yield ready
        ready = Text(content, end, last=False)
        rest, offset = [content[end:]], offset + end
    if ready is not None:
        rest.insert(0, ready.content[: ready.end])
    if limit is None or rest:
        content = b"".join(rest)
        yield Text(content, len(content), last=limit is None)


@dataclass(frozen=True, slots=True)
class Tail:
    """How a file ends.

    Attributes:
        metadata: the text behind the list of events.
        lost_bytes: how much of a torn end was left; None if the file is whole.
    """

    metadata: bytes
    lost_bytes: int | None


def scan_tail(scanner: Scanner, text: bytes, layout: Layout) -> Tail:
    """Take in the last text, which also holds the end of the list and what stands behind it.

    Raises:
        UnscannableError: an event was not where the layout puts it.
    """
    found = _end_of_list(text, layout)
    if found is not None:
        end, metadata = found
        scanner.scan(text, end)
        whole = _is_json(b'{"traceEvents": []' + metadata) or not metadata.strip()
        return Tail(metadata, None if whole else len(metadata))
    cut = text.rfind(layout.stop) + layout.keep
    torn = text[cut:] if cut >= layout.keep else text
    scanner.scan(text, len(text) - len(torn))
    return Tail(b"", len(torn.strip(b", \t\r\n")))


def _end_of_list(text: bytes, layout: Layout) -> tuple[int, bytes] | None:
    """Offset behind the last event, and the text behind the list's closing bracket; None if it is torn."""
    if layout.keep == len(layout.stop):
        closing = re.search(re.escape(layout.stop) + rb"\s*\]", text)
        if closing is not None:
            return closing.start() + layout.keep, text[closing.end() :]
    else:
        # In one line, a list inside some event's arguments may end alike; but then no whole object follows.
        candidates = list(_CLOSING.finditer(text))
        for closing in candidates:
            if _is_json(b'{"traceEvents": []' + text[closing.end() :]) or not text[closing.end() :].strip():
                return closing.start() + 1, text[closing.end() :]
    empty = _EMPTY.match(text)
    return None if empty is None else (0, text[empty.end() :])


_CLOSING = re.compile(rb"\}\s*\](?=\s*(?:,\s*\"|\}\s*$|$))")
_EMPTY = re.compile(rb"\s*\]")


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True

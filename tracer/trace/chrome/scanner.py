"""Reading only the events that are wanted, out of the text of a trace, block by block.

Nine tenths of a trace are Python frames and CPU operators that stage attribution never touches. One compiled pattern
finds the categories that are wanted; the event around each find is cut out and decoded with its block's others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import msgspec

from tracer.trace.chrome.categories import Group, groups, wanted_pattern
from tracer.trace.chrome.collector import OF_A_MOMENT, Collector
from tracer.trace.chrome.events import UNREADABLE, Decoders, Event, decoders, end_of_value, escaped
from tracer.trace.chrome.frames import FRAME, frames_of
from tracer.trace.chrome.layout import UnscannableError
from tracer.trace.chrome.needles import CATEGORY, ODD_CATEGORY, Categories, Needles
from tracer.trace.chrome.repair import repair
from tracer.trace.columns import Want
from tracer.trace.limits import OverLimitError, in_words
from tracer.trace.sampled import EVERY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracer.trace.chrome.layout import Layout
    from tracer.trace.moments import Moments

# Phases whose meaning depends on other events, wherever those are: such a file is read as one document.
PAIRED = frozenset("BE")


LAST_PLACE = 1 << 62
# So many events are decoded at once.
BATCH = 4096
SHORT_TEXT_BYTES = 4096


class Scanner:
    """Scans parts of a file into a collector.

    Attributes:
        collector: the wanted events so far; complete after `flush`.
        events: events seen, wanted or not.
    """

    def __init__(self, layout: Layout, want: Want, most_events: int | None = None, at: Moments | None = None) -> None:
        self.collector = Collector(want, most_events, at)
        self.events = 0
        self._layout = layout
        self._decoders = decoders(want)
        self._pattern = wanted_pattern(want)
        self._groups = groups(want)
        self._categories = Categories(self._groups)
        self._samples = bool(want & Want.SOME_FRAMES)
        self._texts = 0
        self._frames = frames_of(self._groups.get(FRAME), some=self._samples)
        self._needles = Needles(layout.phase, CATEGORY)
        self._pieces: dict[Group, list[bytes]] = {group: [] for group in Group}
        self._place = LAST_PLACE

    def scan(self, text: Text, place: int = LAST_PLACE) -> None:
        """Take in the events of a text.

        Args:
            text: part of the file.
            place: of this text in the order of the file.

        Raises:
            UnscannableError: an event was not where the layout puts it.
        """
        if place != self._place:
            self.flush()
            self._place = place
        content, behind = text.content, text.begin
        if whole := self._samples and self._is_sampled(text):
            self._flush(Group.MODULE)
        stop, keep = self._layout.stop, self._layout.keep
        find, find_last, pieces = content.find, content.rfind, self._pieces
        for match in self._matches(text, whole=whole):
            low, high = match.span()
            previous = find_last(stop, behind, low + 1)  # it may hold the quote that begins the key
            start = find(b"{", behind if previous < 0 else previous + keep, low)
            # Found before the last event's end, there are two categories in what should be one event.
            if low < behind or start < 0:
                raise UnscannableError
            behind = find(stop, high, text.end) + keep
            if behind < keep:
                behind = text.end
            pieces[match.lastindex].append(content[start:behind])  # type: ignore[index]
        if whole:
            self._flush(Group.MODULE, whole=True)
        if any(len(waiting) > BATCH for waiting in pieces.values()):
            self.flush()

    def _is_sampled(self, text: Text) -> bool:
        """Whether all frames of a text are read that tell: those between two blocks are too small to tell by."""
        self._texts += text.end - text.begin >= SHORT_TEXT_BYTES
        return self._texts % EVERY == 1 and text.end - text.begin >= SHORT_TEXT_BYTES

    def _matches(self, text: Text, *, whole: bool) -> Iterable[re.Match[bytes]]:
        """The wanted categories in a text, of a sampled one whole; counts its events in passing.

        Raises:
            UnscannableError: a category is written in another way.
        """
        content, begin, end = text.content, text.begin, text.end
        if end - begin < SHORT_TEXT_BYTES:
            if ODD_CATEGORY.search(content, begin, end) is not None:
                raise UnscannableError
            self.events += content.count(self._layout.phase, begin, end)
            return self._pattern.finditer(content, begin, end)
        phases, keys = self._needles.places(content, begin, end)
        self.events += len(phases)
        match = self._pattern.match
        places, values = self._categories.wanted(content, keys, end)
        if self._frames is not None:
            places = self._frames.chosen(content, places, values, end, whole=whole)
        return filter(None, (match(content, place, end) for place in places.tolist()))

    def found(self) -> tuple[int, Collector]:
        """How many events were seen, and the wanted ones.

        Raises:
            UnscannableError: as `flush`.
        """
        self.flush()
        return self.events, self.collector

    def flush(self) -> None:
        """Decode what is waiting.

        Raises:
            UnscannableError: an event was not where the layout puts it.
        """
        for group in self._pieces:
            self._flush(group)

    def _flush(self, group: Group, *, whole: bool = False) -> None:
        """Decode what is waiting of one group, which is all that a text has of it where it is `whole`."""
        if waiting := self._pieces[group]:
            events = _decode(waiting, self._decoders, certain=self._layout.certain)
            # An argument may be called `cat` as well.
            events = [event for event in events if self._groups.get(event.cat) is group]
            events = events if group in OF_A_MOMENT else _complete(events)
            self.collector.add_group(group, events, self._place, whole=whole)
            waiting.clear()


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


def _decode(pieces: list[bytes], decode: Decoders, *, certain: bool) -> list[Event]:
    """Decode events, all at once if they are well-formed.

    Where the ends of events are certain, one that is not JSON is read off its keys; elsewhere it may have been cut in
    the wrong place.

    Raises:
        UnscannableError: a piece is not one event.
    """
    try:
        events = decode.events(b"[" + b",".join(pieces) + b"]")
    except UNREADABLE:
        if not certain:
            raise UnscannableError from None
        return [_decode_alone(piece, decode) for piece in pieces]
    if len(events) != len(pieces):
        raise UnscannableError
    return events


def _decode_alone(piece: bytes, decode: Decoders) -> Event:
    try:
        return decode.event(piece)
    except UNREADABLE:
        # With more than one phase, or as good JSON that is more than one value, it is what another layout has joined.
        joined = piece.count(b'"ph"') != 1 or _is_list(piece, decode)
        event = None if joined else repair(piece)
    if event is None:
        raise UnscannableError
    return event


def _is_list(piece: bytes, decode: Decoders) -> bool:
    """Whether a piece is several whole values."""
    try:
        return len(decode.events(b"[" + piece + b"]")) > 1
    except UNREADABLE:
        return False


@dataclass(frozen=True, slots=True)
class Text:
    """A part of a file.

    Attributes:
        content: of the file.
        begin: offset in it, behind an event.
        end: offset behind the last whole event; in the last text of a file, all that is left lies behind it.
        last: whether the file ends here.
    """

    content: bytes
    begin: int
    end: int
    last: bool = False


def texts(
    blocks: Iterable[bytes],
    layout: Layout,
    *,
    inside: bool = False,
    limit: int | None = None,
    most_bytes: int | None = None,
) -> Iterator[Text]:
    """Cut a stream of blocks at ends of events.

    Args:
        blocks: the stream.
        layout: says where events end.
        inside: the stream begins anywhere in the list of events: what comes before the first end of an event is
            left out, for whoever reads the part before.
        limit: offset in the stream; the first event whose end begins there or later is the last. None reads all.
        most_bytes: that one event may take.

    Raises:
        OverLimitError: one takes more.
    """
    stop, keep = layout.stop, layout.keep
    rest: list[bytes] = []  # of an event that began in blocks before
    held = 0  # bytes of those
    offset = 0  # in the stream, of the block
    for block in blocks:
        content, begin = block, 0
        if rest and stop in rest[-1][1 - len(stop) :] + block[: len(stop) - 1]:
            offset -= sum(map(len, rest))
            content, rest = b"".join([*rest, block]), []  # the end lies across the seam
        first = content.find(stop)
        end = content.rfind(stop) + keep
        closing = limit is not None and offset + end - keep >= limit
        if closing and limit is not None:
            end = content.find(stop, max(0, limit - offset)) + keep
        if first < 0:
            held = len(content) + (held if rest else 0)
            rest.append(content)  # in the middle of a very long event
            if most_bytes is not None and held > most_bytes:
                raise OverLimitError(f"a single event of more than {in_words(most_bytes)}")
        elif inside:
            if closing and first + keep == end:
                return  # one event reaches across this whole part
            begin, inside, rest = first + keep, False, []
        elif rest:
            seam = b"".join([*rest, content[: first + keep]])
            begin, rest = first + keep, []
            yield Text(seam, 0, len(seam))
        if first >= 0:
            if end > begin:
                yield Text(content, begin, end)
            if closing:
                return
            rest, held = [content[end:]], len(content) - end
        offset += len(content)
    # Without an end of an event behind the limit there is none for the next reader to begin at: the rest is ours.
    if not inside:
        yield Text(b"".join(rest), 0, 0, last=True)


@dataclass(frozen=True, slots=True)
class Tail:
    """How a file ends.

    Attributes:
        metadata: the text behind the list of events.
        lost_bytes: how much of a torn end was left; None if the file is whole.
    """

    metadata: bytes
    lost_bytes: int | None


class Scans(Protocol):
    """What looks at texts."""

    def scan(self, text: Text, place: int = LAST_PLACE) -> None:
        """Look at a text."""


def scan_tail(scanner: Scans, text: bytes, behind: int, layout: Layout) -> Tail:
    """Find the end of the list, and take in the last event where the layout does not say where it ends.

    Args:
        scanner: takes in that event.
        text: the end of the file.
        behind: offset in it, of what is left behind the last end of an event; what comes before is already scanned.
        layout: says where events end.

    Raises:
        UnscannableError: the last events are not where the layout puts them.
    """
    ending, rest = end_of_list(text, layout), text[behind:]
    if ending is None:
        if layout.certain and rest.count(layout.phase) > 1:
            raise UnscannableError
        text = rest.lstrip(SEPARATORS)
        end = 0 if layout.certain else end_of_value(text) or 0
        scanner.scan(Text(text, 0, end))
        return Tail(b"", len(text[end:].strip(SEPARATORS)))
    end, metadata = ending
    if end > behind:
        if layout.certain:
            raise UnscannableError
        scanner.scan(Text(rest, 0, end - behind))
    return Tail(metadata, None if _ends_well(metadata, layout) else len(metadata))


def end_of_list(text: bytes, layout: Layout) -> tuple[int, bytes] | None:
    """Offset behind the last event, and the text behind the list's closing bracket; None if it is torn."""
    # A list inside the last event's arguments, or in the metadata, may end alike; but then no whole document does.
    closings = _CLOSING.finditer(text, max(0, text.rfind(layout.phase)))
    for closing in islice(closings, MOST_ENDS):
        behind = text[closing.end() :]
        if _ends_well(behind, layout):
            return closing.start() + 1, behind
    empty = _EMPTY.match(text)
    return None if empty is None else (0, text[empty.end() :])


# No honest event has so many lists in its arguments.
MOST_ENDS = 100
SEPARATORS = b", \t\r\n"
# Writers by hand leave a comma behind the last event.
_CLOSING = re.compile(rb"\}\s*(?:,\s*)?\](?=\s*(?:,\s*\"|\}\s*\Z|\Z))")
_EMPTY = re.compile(rb"[\s,]*\]")


def _ends_well(behind: bytes, layout: Layout) -> bool:
    """Whether a document that has this behind its list of events is whole."""
    if layout.bare:
        return not behind.strip()
    text = b'{"traceEvents": []' + behind
    return _is_json(text) or (b"\\" in behind and _is_json(escaped(text)))


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except UNREADABLE:
        return False
    return True
